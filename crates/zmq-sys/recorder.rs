//! What `zeromq-src` would compile, and how: it is run with this very program in the place of the compiler and of the
//! archiver, which write down what they are told instead of doing it.
//!
//! libzmq is then compiled as one unit. `zeromq-src` knows the files and the definitions of each platform, but compiles
//! each file for itself, and libzmq's many tiny functions, through which every frame goes, are in other files than what
//! calls them. Optimising across files when linking does the same, but takes gcc and one of GNU's linkers all the way.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Set where this program is the compiler or the archiver: the directory of the notes.
const NOTES: &str = "OMDP_ZMQ_SYS_NOTES";

/// What was noted: files, and the arguments that say where headers are and what is defined.
pub struct Recording {
    pub cpp: Vec<PathBuf>,
    pub c: Vec<PathBuf>,
    pub includes: Vec<String>,
    pub defines: Vec<String>,
}

/// Whether this program was started as a tool. It has done the tool's part then.
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
        // A question what compiler this is, or whether it knows something; or the archiver's turn.
        if args.iter().any(|arg| arg == "-E") {
            println!("\"gcc\"");
        }
        // Of the C library only what each of its versions has; and no options of other compilers.
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

/// Runs `build`, which is `zeromq-src`, and tells what it would have compiled.
pub fn record(triple: &str, out: &Path, build: impl FnOnce()) -> Recording {
    let notes = out.join("notes");
    let _ = fs::remove_dir_all(&notes);
    fs::create_dir_all(&notes).expect("create a directory in OUT_DIR");
    let this = env::current_exe().expect("the path of this program");
    let tools = ["CC", "CXX", "AR", "RANLIB"].map(|tool| format!("{tool}_{triple}"));
    let before: Vec<_> = tools.iter().map(env::var_os).collect();
    // SAFETY: a build script has one thread here; `cc` starts its own within `build` and has ended them by its end.
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
        // The same for all of them.
        recording.includes = values("-I");
        recording.defines = values("-D");
    }
    assert!(
        recording.cpp.len() > 100,
        "zeromq-src compiled almost nothing"
    );
    recording
}
