#!/usr/bin/env bash
# Shows that an application outside of this repository builds from the crates as they would be
# published: packs them, unpacks them elsewhere, and builds one that depends on all three.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
CRATES=(lambda-core lambda-store lambda-http)
VERSION=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)

# --allow-dirty: it is the sources as they are here that have to build.
cargo package --no-verify --allow-dirty --quiet "${CRATES[@]/#/--package=}"
mkdir -p "$WORK/app/src"
{
    printf '[package]\nname = "outside"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\n'
    printf 'tokio = { version = "1", features = ["rt-multi-thread", "macros", "net"] }\n'
    for crate in "${CRATES[@]}"; do printf '%s = "%s"\n' "$crate" "$VERSION"; done
    # In place of the registry.
    printf '\n[patch.crates-io]\n'
    for crate in "${CRATES[@]}"; do
        tar -xzf "target/package/$crate-$VERSION.crate" -C "$WORK"
        printf '%s = { path = "../%s-%s" }\n' "$crate" "$crate" "$VERSION"
    done
} >"$WORK/app/Cargo.toml"
cat >"$WORK/app/src/main.rs" <<'RUST'
use std::sync::Arc;

use lambda_store::Platform;
use lambda_store::runtime::{ContainerOptions, DockerRuntime};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data_dir = std::env::args().nth(1).ok_or("name a data directory")?;
    let platform = Platform::builder()
        .data_dir(&data_dir)
        .store(lambda_store::open("sqlite::memory:").await?)
        .runtime(Arc::new(DockerRuntime::connect(ContainerOptions::new(&data_dir))?))
        .build()
        .await?;
    let _routes = lambda_http::routes(platform.clone(), lambda_http::HttpOptions::default());
    println!("{} is there", platform.runtimes()[0]);
    platform.close().await;
    Ok(())
}
RUST
cp Cargo.lock "$WORK/app/Cargo.lock"
cd "$WORK/app"
output=$(CARGO_TARGET_DIR=$ROOT/target cargo run --offline --quiet -- "$WORK/data")
echo "$output"
[ "$output" = "docker is there" ]
