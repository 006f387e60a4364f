//! Lets Node resolve Node-API's symbols when it loads the library.

fn main() {
    // The macros write their declarations there, so they have to run when it changes.
    println!("cargo:rerun-if-env-changed=NAPI_TYPE_DEF_TMP_FOLDER");
    napi_build::setup();
}
