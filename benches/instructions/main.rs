//! What the hot paths cost, counted in instructions and allocations instead of timed: the program that
//! `scripts/check-instructions.js` runs under callgrind.
//!
//! Without arguments it lists the paths. `PATH COUNT` goes along one of them until `COUNT` items (requests, messages)
//! have gone by, and prints the allocations; callgrind counts the instructions. Twice the count minus once the count
//! is what the items cost, without what it took to get there. Inputs and hash seeds are fixed, so counts repeat.

mod broker;
mod codec;
mod count;
mod frame;
mod io;
mod node;
mod peers;
mod words;

// The sources that `node` includes look for it here.
use zmq_omdp::{proto, wire};

/// One thing to be measured.
struct Path {
    name: &'static str,
    /// How many items one step takes.
    items: usize,
    /// Gets everything ready and gives the step, whose costs count where it says so.
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
