//! Link settings of the addon; libzmq itself is built by `crates/zmq-sys`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "node")]
    napi_build::setup();

    // Only GNU's linkers, each by its name, have gcc inline across libzmq's objects; rust-lld takes their machine code.
    if let Ok(linker) = std::env::var("DEP_ZMQ_LTO") {
        println!("cargo:rustc-link-arg-cdylib=-fuse-ld={linker}");
        println!("cargo:rustc-link-arg-cdylib=-flto=auto");
        // For who looks at the result: what it was meant to be. Stripped with all the other names.
        println!("cargo:rustc-link-arg-cdylib=-Wl,--defsym=omdp_lto=0");
    }
}
