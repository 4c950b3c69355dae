//! The macros of napi write the types of the addon while they are expanded. The napi CLI sets this variable when it lacks
//! them; then this crate is compiled again.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NAPI_FORCE_BUILD_ZMQ_OMDP");
}
