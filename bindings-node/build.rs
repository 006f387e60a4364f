//! Lets Node resolve Node-API's symbols when it loads the library.

fn main() {
    napi_build::setup();
}
