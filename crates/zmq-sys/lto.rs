//! Whether libzmq can be optimised across its files, and with which tools.
//!
//! Its many tiny functions are then inlined when the addon is linked, which is worth a fifth of the throughput. It
//! takes gcc all the way: its compiler, its archiver, its linker driver, and one of GNU's linkers with gcc's plugin.
//! Where one of them is missing or is another's, nothing complains: the linker takes the machine code that lies beside
//! the intermediate code. So the tools are tried out on something that has no machine code.

use crate::Target;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the build goes on with.
pub struct Tools {
    /// The archiver that understands gcc's intermediate code.
    pub archiver: String,
    /// The linker that does, as `-fuse-ld` calls it.
    pub linker: &'static str,
}

/// Release builds are optimised wherever the tools are there. `OMDP_LTO=0` turns it off; `OMDP_LTO=1` wants it in any
/// build, and has the build fail where it can't be had.
pub fn tools(target: &Target) -> Option<Tools> {
    println!("cargo:rerun-if-env-changed=OMDP_LTO");
    let wish = env::var("OMDP_LTO").unwrap_or_default();
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if wish == "0" || (wish != "1" && !release) {
        return None;
    }
    match find(target) {
        Ok(tools) => Some(tools),
        Err(why) if wish == "1" => panic!("OMDP_LTO=1, but {why}"),
        Err(why) => {
            println!("cargo:warning=libzmq is built plain, not optimised across its files: {why}");
            None
        }
    }
}

fn find(target: &Target) -> Result<Tools, String> {
    if target.os != "linux" {
        return Err("that is done on Linux alone".into());
    }
    let compiler = cc::Build::new().cpp(true).try_get_compiler();
    let compiler = compiler.map_err(|error| error.to_string())?;
    if !compiler.is_like_gnu() {
        return Err(format!("{} is not gcc", compiler.path().display()));
    }
    let archiver = archiver(compiler.path())
        .ok_or_else(|| format!("there is no gcc-ar for {}", compiler.path().display()))?;
    let trial = Trial {
        dir: PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?),
        driver: driver(target),
    };
    if !trial.compile(&compiler, "user", &[]) || !trial.compile(&compiler, "used", &["-flto"]) {
        return Err(format!("{} does not know -flto", compiler.path().display()));
    }
    let linker = ["bfd", "gold"]
        .into_iter()
        .find(|linker| trial.link(&archiver, linker));
    let linker = linker.ok_or_else(|| {
        let driver = trial.driver.display();
        format!("{driver} links gcc's intermediate code neither with bfd nor with gold")
    })?;
    Ok(Tools { archiver, linker })
}

/// `x86_64-linux-gnu-g++-12` has `x86_64-linux-gnu-gcc-ar-12` beside it.
fn archiver(compiler: &Path) -> Option<String> {
    let path = compiler.to_str()?;
    let at = path.rfind("g++").or_else(|| path.rfind("c++"))?;
    let archiver = format!("{}gcc-ar{}", &path[..at], &path[at + 3..]);
    succeeds(Command::new(&archiver).arg("--version")).then_some(archiver)
}

/// The program that rustc links with.
fn driver(target: &Target) -> PathBuf {
    let from_env = target.triple.replace('-', "_").to_uppercase();
    println!("cargo:rerun-if-env-changed=CARGO_TARGET_{from_env}_LINKER");
    println!("cargo:rerun-if-env-changed=RUSTFLAGS");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let from_flags = flags.split('\x1f').filter_map(|flag| {
        let flag = flag.strip_prefix("-C").unwrap_or(flag);
        flag.strip_prefix("linker=")
    });
    let last = from_flags.last().map(PathBuf::from);
    last.or_else(|| env::var_os("RUSTC_LINKER").map(PathBuf::from))
        .unwrap_or_else(|| "cc".into())
}

/// Links an object with an archive of intermediate code alone that it needs.
struct Trial {
    dir: PathBuf,
    driver: PathBuf,
}

impl Trial {
    fn compile(&self, compiler: &cc::Tool, name: &str, flags: &[&str]) -> bool {
        let source = self.dir.join("trial.cpp");
        let text = "int used ();\nint NAME () { return used (); }\n".replace("NAME", name);
        std::fs::write(&source, text).is_ok()
            && succeeds(
                compiler
                    .to_command()
                    .args(flags)
                    .arg("-c")
                    .arg(&source)
                    .arg("-o")
                    .arg(self.dir.join(format!("{name}.o"))),
            )
    }

    fn link(&self, archiver: &str, linker: &str) -> bool {
        let archive = self.dir.join("libused.a");
        // An archiver adds to what is there.
        let _ = std::fs::remove_file(&archive);
        let object = self.dir.join("used.o");
        succeeds(Command::new(archiver).arg("crs").arg(&archive).arg(object))
            && succeeds(
                Command::new(&self.driver)
                    .args(["-shared", "-nostdlib", "-Wl,--no-undefined", "-flto=auto"])
                    .arg(format!("-fuse-ld={linker}"))
                    .arg(self.dir.join("user.o"))
                    .arg(archive)
                    .arg("-o")
                    .arg(self.dir.join("trial.so")),
            )
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
