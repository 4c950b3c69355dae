//! Sets the addon's link options; `crates/zmq-sys` builds libzmq.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    napi_build::setup();
}
