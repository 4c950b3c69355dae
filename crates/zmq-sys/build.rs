//! Builds libzmq 4.3.5 with CURVE (libsodium) and the draft options, static and without exported
//! symbols.
//!
//! `zeromq-src` brings the sources and the list of files (`recorder.rs`). The compiler flags here
//! give the facts about the platform that libzmq's configure script would find out.

mod kinds;
mod recorder;
mod units;

use recorder::{Recording, record};
use std::env;
use std::path::{Path, PathBuf};

fn main() {
    if recorder::was_tool() {
        return;
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=kinds.rs");
    println!("cargo:rerun-if-changed=recorder.rs");
    println!("cargo:rerun-if-changed=units.rs");
    println!("cargo:rerun-if-changed=counting.cpp");
    println!("cargo:rerun-if-changed=closing.cpp");
    println!("cargo:rerun-if-changed=lean.hpp");
    println!("cargo:rerun-if-changed=absent.cpp");
    let target = Target::from_env();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let flags = flags(&target);
    let sodium = Sodium::find(&target);
    let from = || {
        zeromq_src::Build::new()
            .enable_draft(true)
            .with_libsodium(Some(zeromq_src::LibLocation::new(
                &sodium.lib,
                &sodium.include,
            )))
            .build();
    };
    // SAFETY: a build script has one thread here; `cc` starts others later, which only read.
    unsafe {
        if target.env == "msvc" {
            let key = format!("CXXFLAGS_{}", target.triple);
            let given = env::var(&key).unwrap_or_default();
            env::set_var(&key, format!("{given} {}", flags.join(" ")));
        } else {
            // The C++ library is linked below, depending on the compiler.
            env::set_var("CXXSTDLIB", "");
        }
    }
    if target.env == "msvc" {
        // As in `zeromq-src`: each file separately.
        from();
    } else {
        let recording = without_websockets(record(&target.triple, &out, from));
        units::compile(&recording, &flags, &target, &out);
        link_cxx_runtime(&target);
    }
    if target.os == "windows" {
        // For libsodium's random numbers and libzmq's sockets.
        println!("cargo:rustc-link-lib=advapi32");
        println!("cargo:rustc-link-lib=ws2_32");
    }
}

/// Leaves out the transport that no endpoint of this package can name: 60 kB.
fn without_websockets(mut recording: Recording) -> Recording {
    recording.cpp.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with("ws_")
    });
    recording.c.clear();
    recording
        .defines
        .retain(|define| !define.starts_with("ZMQ_HAVE_WS=") && define != "ZMQ_HAVE_WS");
    recording
}

struct Target {
    triple: String,
    os: String,
    arch: String,
    env: String,
}

impl Target {
    fn from_env() -> Self {
        let cfg = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
        Target {
            triple: env::var("TARGET").expect("cargo sets TARGET"),
            os: cfg("OS"),
            arch: cfg("ARCH"),
            env: cfg("ENV"),
        }
    }
}

/// Definitions that `zeromq-src` omits; without them libzmq uses inferior fallbacks or none.
fn flags(target: &Target) -> Vec<String> {
    let mut defines = vec!["ZMQ_NO_EXPORT"];
    if target.os == "windows" {
        // Otherwise the headers of libsodium declare the functions of a DLL.
        defines.push("SODIUM_STATIC=1");
        return defines.iter().map(|d| format!("-D{d}")).collect();
    }

    defines.extend([
        // Without it timers use the wall clock and jump with it.
        "HAVE_CLOCK_GETTIME",
        // Creates the sockets of `ipc://*` in a private directory instead of under a predictable
        // name.
        "HAVE_MKDTEMP",
        // Without it the scope of a link-local address cannot be the name of an interface.
        "HAVE_IF_NAMETOINDEX",
        "HAVE_POSIX_MEMALIGN",
        "ZMQ_HAVE_IFADDRS",
        "ZMQ_HAVE_NOEXCEPT",
        "ZMQ_HAVE_O_CLOEXEC",
        // Without these the keep-alive options are silently ignored.
        "ZMQ_HAVE_SO_KEEPALIVE",
        "ZMQ_HAVE_TCP_KEEPCNT",
        "ZMQ_HAVE_TCP_KEEPINTVL",
    ]);
    defines.push(if target.os == "macos" && target.arch == "aarch64" {
        "ZMQ_CACHELINE_SIZE=128"
    } else {
        "ZMQ_CACHELINE_SIZE=64"
    });
    match target.os.as_str() {
        "linux" => defines.extend([
            // An eventfd instead of a socket pair for wake-ups: one descriptor less, and faster.
            "ZMQ_HAVE_EVENTFD",
            "ZMQ_HAVE_EVENTFD_CLOEXEC",
            // Child processes of a Node.js program must not inherit sockets.
            "ZMQ_HAVE_SOCK_CLOEXEC",
            "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
            "HAVE_ACCEPT4",
            "ZMQ_HAVE_TCP_KEEPIDLE",
            "ZMQ_HAVE_PTHREAD_SETNAME_2",
        ]),
        "macos" => defines.extend(["ZMQ_HAVE_TCP_KEEPALIVE", "ZMQ_HAVE_PTHREAD_SETNAME_1"]),
        _ => {}
    }
    let mut flags: Vec<String> = defines.iter().map(|d| format!("-D{d}")).collect();
    flags.push("-fvisibility=hidden".into());
    flags.push("-fvisibility-inlines-hidden".into());
    flags
}

struct Sodium {
    lib: PathBuf,
    include: PathBuf,
}

impl Sodium {
    /// Finds the libsodium that `libsodium-sys-stable` has built or unpacked.
    fn find(target: &Target) -> Self {
        let dir = |name: &str| env::var_os(name).map(PathBuf::from);
        let include =
            dir("DEP_SODIUM_INCLUDE").expect("libsodium-sys-stable says where the headers are");
        if target.env == "msvc" {
            return Self::msvc(target, &include);
        }
        let lib = dir("DEP_SODIUM_LIB").expect("libsodium-sys-stable says where the library is");
        Sodium { lib, include }
    }

    /// For MSVC, libsodium is a binary archive with another layout than the source tree that
    /// `zeromq-src` expects: that looks for `version.h` in `../../../builds/msvc` of the headers.
    /// This function creates such a tree.
    fn msvc(target: &Target, include: &Path) -> Self {
        let unpacked = include
            .parent()
            .expect("the headers lie in a directory")
            .join("libsodium");
        let headers = [include.to_path_buf(), unpacked.join("include")]
            .into_iter()
            .find(|dir| dir.join("sodium.h").is_file())
            .expect("no sodium.h where libsodium-sys-stable unpacked libsodium");
        let arch = if target.arch == "aarch64" {
            "ARM64"
        } else {
            "x64"
        };
        let lib = env::var_os("DEP_SODIUM_LIB")
            .map(PathBuf::from)
            .unwrap_or_else(|| {
                unpacked
                    .join(arch)
                    .join("Release")
                    .join("v143")
                    .join("static")
            });

        let root = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("sodium");
        let include = root.join("src").join("libsodium").join("include");
        copy_headers(&headers, &include);
        copy_headers(&headers.join("sodium"), &include.join("sodium"));
        let builds = root.join("builds").join("msvc");
        std::fs::create_dir_all(&builds).expect("create a directory in OUT_DIR");
        std::fs::copy(
            include.join("sodium").join("version.h"),
            builds.join("version.h"),
        )
        .expect("copy libsodium's version.h");
        Sodium { lib, include }
    }
}

fn copy_headers(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("create a directory in OUT_DIR");
    for entry in std::fs::read_dir(from).expect("read the headers of libsodium") {
        let path = entry.expect("read the headers of libsodium").path();
        if path.is_file() {
            let name = path.file_name().expect("a file has a name");
            std::fs::copy(&path, to.join(name)).expect("copy a header of libsodium");
        }
    }
}

/// Links the C++ library and the unwinder statically, so that the addon needs no shared library of
/// them.
fn link_cxx_runtime(target: &Target) {
    let compiler = cc::Build::new().cpp(true).get_compiler();
    let name = compiler.path().file_name().unwrap_or_default();
    // clang's library is part of the system on macOS, and zig brings it as a static one.
    if target.os == "macos" || name.to_string_lossy().starts_with("zig") {
        println!("cargo:rustc-link-lib=c++");
        return;
    }
    // The two archives of libgcc precede the `-lgcc_s` of Rust's std, which is linked only as
    // needed and thus dropped. `gcc`, the arithmetic, is for mold, which prefers the shared library
    // to Rust's weak functions.
    let names: &[&str] = match target.os.as_str() {
        "linux" => &["stdc++", "gcc_eh", "gcc"],
        _ => &["stdc++"],
    };
    for name in names {
        let output = compiler
            .to_command()
            .arg(format!("-print-file-name=lib{name}.a"))
            .output();
        let archive = output
            .ok()
            .and_then(|output| String::from_utf8(output.stdout).ok())
            .map(|path| PathBuf::from(path.trim()));
        match archive.filter(|path| path.is_absolute() && path.is_file()) {
            Some(path) => {
                let dir = path.parent().expect("an archive lies in a directory");
                println!("cargo:rustc-link-search=native={}", dir.display());
                println!("cargo:rustc-link-lib=static:-bundle={name}");
            }
            None if *name == "stdc++" => {
                println!(
                    "cargo:warning=no libstdc++.a beside the compiler; libstdc++ is linked dynamically"
                );
                println!("cargo:rustc-link-lib=stdc++");
            }
            None => {}
        }
    }
}
