//! The costs of the hot paths in instructions and allocations instead of time: the program that
//! `scripts/check-instructions.js` runs under callgrind.
//!
//! Without arguments it lists the paths. `PATH COUNT` executes one of them for `COUNT` items
//! (requests, messages), and prints the allocations; callgrind counts the instructions. The counts
//! for twice the items minus those for once are the costs of the items without the set-up. Inputs
//! and hash seeds are fixed, so counts repeat.

mod broker;
mod codec;
mod count;
mod frame;
mod io;
mod node;
mod peers;
mod words;

// The included sources of `node` expect these names here.
use zmq_omdp::{proto, wire};

/// A measured path.
struct Path {
    name: &'static str,
    /// The number of items in a step.
    items: usize,
    /// Prepares the path and returns the step, which determines its counted part itself.
    start: fn() -> Box<dyn FnMut()>,
}

fn main() {
    let mut paths = Vec::new();
    paths.extend(broker::PATHS);
    paths.extend(codec::PATHS);
    paths.extend(peers::PATHS);
    paths.extend(node::PATHS);
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = &args[..] else {
        for path in paths {
            println!("{}", path.name);
        }
        return;
    };
    let path = paths.iter().find(|path| path.name == name);
    let count: Option<usize> = count.parse().ok();
    let (Some(path), Some(count)) = (path, count) else {
        eprintln!("usage: instructions [PATH COUNT]");
        std::process::exit(2);
    };
    let mut step = (path.start)();
    for _ in 0..count / path.items {
        step();
    }
    println!("{}", count::allocations());
}
