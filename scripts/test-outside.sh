#!/usr/bin/env bash
# Shows that an application outside of this workspace builds from the crates as they would be
# published, and runs: packs them, unpacks them elsewhere, and builds one that depends on all three.
# It runs a function in an acted sandbox, so it needs no daemon. Run by scripts/test.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
# Always the same place, so that the compiler's output is replaced each time and does not pile up.
WORK=$ROOT/target/outside
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
trap 'rm -rf "$WORK" "$TARGET/debug/outside" "$TARGET/debug/outside.d"' EXIT
CRATES=(lambda-core lambda-store lambda-http)
VERSION=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)

rm -rf "$WORK"
mkdir -p "$WORK/app/src"
# --no-verify: the application below is what verifies. --allow-dirty: it is the sources as they are
# here that have to build.
cargo package --offline --no-verify --allow-dirty --quiet --target-dir "$WORK/packed" "${CRATES[@]/#/--package=}"
{
    # A workspace of its own, or Cargo takes it for a part of the one around it.
    printf '[workspace]\n\n'
    printf '[package]\nname = "outside"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\n'
    printf 'lambda-core = { version = "%s", features = ["conformance"] }\n' "$VERSION"
    printf 'lambda-store = "%s"\nlambda-http = "%s"\n' "$VERSION" "$VERSION"
    printf 'tokio = { version = "1", features = ["full"] }\n'
    # In place of the registry.
    printf '\n[patch.crates-io]\n'
    for crate in "${CRATES[@]}"; do
        # Touched, because packed files are all of one old date and Cargo goes by dates.
        tar -xzmf "$WORK/packed/package/$crate-$VERSION.crate" -C "$WORK"
        printf '%s = { path = "../%s-%s" }\n' "$crate" "$crate" "$VERSION"
    done
    # The same profiles, so that what the workspace has built of others' crates is taken.
    printf '\n'
    sed -n '/^\[profile\./,$p' Cargo.toml
} >"$WORK/app/Cargo.toml"
cp Cargo.lock "$WORK/app/Cargo.lock"
cat >"$WORK/app/src/main.rs" <<'RUST'
use std::sync::Arc;

use lambda_core::runtime::fake::FakeRuntime;
use lambda_store::model::RuntimeName;
use lambda_store::{ExecuteRequest, NewFunction, Platform};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data_dir = std::env::args().nth(1).ok_or("name a data directory")?;
    let platform = Platform::builder()
        .data_dir(&data_dir)
        .store(lambda_store::open("sqlite::memory:").await?)
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await?;
    let _routes = lambda_http::routes(platform.clone(), lambda_http::HttpOptions::default());
    let echo = platform
        .deploy(NewFunction::python("echo", "fake:echo")?.handler("case.handler"))
        .await?;
    let outcome = platform.execute(ExecuteRequest::new(echo.id).event(r#""from outside""#)).await?;
    println!("{} {:?}", outcome.status, outcome.output);
    platform.close().await;
    Ok(())
}
RUST
cd "$WORK/app"
output=$(CARGO_TARGET_DIR=$TARGET cargo run --offline --quiet -- "$WORK/data")
echo "$output"
[ "$output" = 'success Some(b"\"from outside\"")' ]
