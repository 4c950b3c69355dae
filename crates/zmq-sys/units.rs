//! The two units in which libzmq's files are compiled.

use super::Target;
use super::kinds;
use super::recorder::Recording;
use std::env;
use std::path::Path;

/// The file of libzmq in which received messages are counted, see `counting.cpp`.
const COUNTED: &str = "stream_engine_base.cpp";

/// The files of libzmq through whose functions each message goes. The others connect, bind and shake
/// hands, and are compiled to be small.
const HOT: [&str; 33] = [
    "clock.cpp",
    "ctx.cpp",
    "curve_mechanism_base.cpp",
    "dealer.cpp",
    "decoder_allocators.cpp",
    "epoll.cpp",
    "err.cpp",
    "fq.cpp",
    "io_object.cpp",
    "io_thread.cpp",
    "kqueue.cpp",
    "lb.cpp",
    "mailbox.cpp",
    "mechanism_base.cpp",
    "metadata.cpp",
    "msg.cpp",
    "object.cpp",
    "pair.cpp",
    "pipe.cpp",
    "poller_base.cpp",
    "router.cpp",
    "session_base.cpp",
    "signaler.cpp",
    "socket_base.cpp",
    "stream_engine_base.cpp",
    "tcp.cpp",
    "v1_decoder.cpp",
    "v1_encoder.cpp",
    "v2_decoder.cpp",
    "v2_encoder.cpp",
    "v3_1_encoder.cpp",
    "zmq.cpp",
    "zmtp_engine.cpp",
];

/// Compiles the recorded files as two units, in the directory that `zeromq-src` has announced to
/// cargo.
pub(super) fn compile(recording: &Recording, flags: &[String], target: &Target, out: &Path) {
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let [lean, absent, counting, closing] =
        ["lean.hpp", "absent.cpp", "counting.cpp", "closing.cpp"]
            .map(|name| Path::new(&here).join(name));
    let [mut hot, mut cold] = [(); 2].map(|()| kinds::include(&lean));
    let (mut is_counted, mut hot_files) = (false, 0);
    for file in &recording.cpp {
        let is_hot = file
            .file_name()
            .is_some_and(|name| HOT.iter().any(|hot| name == *hot));
        hot_files += usize::from(is_hot);
        let text = if is_hot { &mut hot } else { &mut cold };
        match file.file_name() {
            Some(name) if name == COUNTED => {
                is_counted = true;
                text.push_str(&kinds::include(&counting));
                text.push_str(&kinds::include(file));
                text.push_str("#undef push_msg\n#undef tcp_read\n#undef tcp_write\n");
                text.push_str("#undef unblock_socket\n#undef rm_fd\n#undef get_peer_ip_address\n");
            }
            _ => text.push_str(&kinds::include(file)),
        }
    }
    assert!(is_counted, "{COUNTED} is one of libzmq's files");
    assert_eq!(hot_files, HOT.len(), "these are libzmq's files");
    cold.push_str(&kinds::include(&closing));
    // In the unit that is linked first, before libsodium.
    hot.push_str(&kinds::include(&absent));
    let [hot, cold] = [("hot.cpp", hot), ("cold.cpp", cold)].map(|(name, text)| {
        let unit = out.join(name);
        std::fs::write(&unit, text).expect("write to OUT_DIR");
        unit
    });

    let objects = |build: &mut cc::Build| {
        // Level 3 makes the units a tenth larger, and no benchmark faster.
        build.includes(&recording.includes).warnings(false);
        if target.os == "windows" && target.env == "gnu" {
            build.include(Path::new(&here).join("mingw"));
        }
        if env::var("OPT_LEVEL").is_ok_and(|level| level == "3") {
            build.opt_level(2);
        }
        for define in &recording.defines {
            let (name, value) = define.split_once('=').unwrap_or((define, "1"));
            build.define(name, value);
        }
        for flag in flags {
            build.flag(flag);
        }
        build.cargo_metadata(false).out_dir(out.join("lib")).clone()
    };
    let mut c = objects(cc::Build::new().files(&recording.c));
    if target.os == "windows" {
        // `zeromq-src` includes it for MSVC only.
        let sources = out.join("source").join("external").join("wepoll");
        c.include(&sources).file(sources.join("wepoll.c"));
    }
    let c = c.compile_intermediates();
    let mut cold = objects(cpp().file(cold));
    if env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        cold.opt_level_str("s");
    }
    let cold = cold.compile_intermediates();
    objects(cpp().file(hot))
        .objects(c)
        .objects(cold)
        .compile("zmq");
}

/// libzmq throws nothing and asks for no type at run time, and no panic passes through it.
fn cpp() -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++11")
        .flag("-fno-rtti")
        .flag("-fno-exceptions")
        .flag("-fno-asynchronous-unwind-tables");
    build
}
