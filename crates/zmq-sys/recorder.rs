//! Records the files and options with which `zeromq-src` would compile libzmq: this program takes
//! the place of the compiler and the archiver, and writes down their arguments.
//!
//! libzmq is then compiled as two units. `zeromq-src` knows the files and definitions of each
//! platform but compiles each file separately. libzmq's many tiny functions, which every frame
//! passes, are in other files than their callers. Link-time optimisation has the same effect but
//! requires gcc and a GNU linker.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The directory of the notes; set while this program acts as the compiler or archiver.
const NOTES: &str = "OMDP_ZMQ_SYS_NOTES";

/// The recorded files, include options and definitions.
pub struct Recording {
    pub cpp: Vec<PathBuf>,
    pub c: Vec<PathBuf>,
    pub includes: Vec<String>,
    pub defines: Vec<String>,
}

/// Acts as the tool, if this program was started as one. Returns whether it was.
pub fn was_tool() -> bool {
    let Some(notes) = env::var_os(NOTES) else {
        return false;
    };
    let args: Vec<String> = env::args().skip(1).collect();
    play(Path::new(&notes), &args);
    true
}

fn play(notes: &Path, args: &[String]) {
    let Some(at) = args.iter().position(|arg| arg == "-c") else {
        // A query for the compiler's kind or for a feature, or a call of the archiver.
        if args.iter().any(|arg| arg == "-E") {
            println!("\"gcc\"");
        }
        // Denies `strlcpy`, which not every version of the C library has, and options of other
        // compilers.
        let no = |arg: &String| arg.ends_with("strlcpy.c") || arg == "-?";
        std::process::exit(i32::from(args.iter().any(no)));
    };
    let source = args.get(at + 1).filter(|arg| !arg.starts_with('-'));
    let source = source
        .or_else(|| args.last())
        .expect("a compiler is given a file");
    let name = Path::new(source).file_name().expect("a file has a name");
    let mut note = File::create(notes.join(name)).expect("create a file in OUT_DIR");
    for arg in std::iter::once(source).chain(args) {
        writeln!(note, "{arg}").expect("write to OUT_DIR");
    }
}

/// Runs `build`, which is `zeromq-src`, and returns what it would have compiled.
pub fn record(triple: &str, out: &Path, build: impl FnOnce()) -> Recording {
    let notes = out.join("notes");
    let _ = fs::remove_dir_all(&notes);
    fs::create_dir_all(&notes).expect("create a directory in OUT_DIR");
    let this = env::current_exe().expect("the path of this program");
    let tools = ["CC", "CXX", "AR", "RANLIB"].map(|tool| format!("{tool}_{triple}"));
    let before: Vec<_> = tools.iter().map(env::var_os).collect();
    // SAFETY: a build script has one thread here; the threads that `cc` starts in `build` end
    // before it returns.
    unsafe {
        env::set_var(NOTES, &notes);
        tools.iter().for_each(|tool| env::set_var(tool, &this));
        build();
        env::remove_var(NOTES);
        for (tool, value) in tools.iter().zip(before) {
            match value {
                Some(value) => env::set_var(tool, value),
                None => env::remove_var(tool),
            }
        }
    }
    read(&notes)
}

fn read(notes: &Path) -> Recording {
    let mut recording = Recording {
        cpp: Vec::new(),
        c: Vec::new(),
        includes: Vec::new(),
        defines: Vec::new(),
    };
    let names = fs::read_dir(notes).expect("read what was noted");
    let mut paths: Vec<_> = names.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let note = fs::read_to_string(&path).expect("read what was noted");
        let mut lines = note.lines();
        let source = PathBuf::from(lines.next().expect("a note begins with a file"));
        match source.extension().is_some_and(|extension| extension == "c") {
            true => recording.c.push(source),
            false => recording.cpp.push(source),
        }
        let lines: Vec<&str> = lines.collect();
        let values = |flag: &str| -> Vec<String> {
            let apart = lines
                .windows(2)
                .filter(|pair| pair[0] == flag)
                .map(|pair| pair[1]);
            let joined = lines.iter().filter_map(|arg| arg.strip_prefix(flag));
            let joined = joined.filter(|value| !value.is_empty());
            apart.chain(joined).map(str::to_owned).collect()
        };
        // All files have the same options.
        recording.includes = values("-I");
        recording.defines = values("-D");
    }
    assert!(
        recording.cpp.len() > 100,
        "zeromq-src compiled almost nothing"
    );
    recording
}
