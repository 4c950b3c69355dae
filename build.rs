//! Link settings of the addon; libzmq itself is built by `crates/zmq-sys`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "node")]
    napi_build::setup();

    // Only GNU's linkers ask gcc to inline across the objects that `OMDP_LTO=1` made; rust-lld takes their machine code.
    if std::env::var_os("DEP_ZMQ_LTO").is_some() {
        println!("cargo:rustc-link-arg-cdylib=-fuse-ld=bfd");
        println!("cargo:rustc-link-arg-cdylib=-flto=auto");
    }
}
