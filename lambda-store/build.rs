//! `sqlx::migrate!` reads a directory, and only this tells cargo that a file was added.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
