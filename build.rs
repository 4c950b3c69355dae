//! Sets the addon's link options; `crates/zmq-sys` builds libzmq.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "node")]
    napi_build::setup();
}
