//! Link settings of the addon; libzmq itself is built by `crates/zmq-sys`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "node")]
    napi_build::setup();
}
