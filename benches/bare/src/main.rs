//! The performance of libzmq alone: a broker, a worker and a client that send the frames of OMDP
//! and do nothing else.
//!
//! There is no JavaScript, JSON, timer or recovery, and the broker keeps no state of a request. The
//! benchmark starts each role as a process and communicates with it in lines of JSON over stdin and
//! stdout.
//!
//! `bare broker|sink|worker|client ENDPOINT`

mod broker;
mod client;
mod control;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [role, endpoint] = args.as_slice() else {
        eprintln!("usage: bare broker|sink|worker|client ENDPOINT");
        return ExitCode::FAILURE;
    };
    let result = match role.as_str() {
        "broker" => broker::serve(endpoint),
        "sink" => broker::sink(endpoint),
        "worker" => worker::serve(endpoint),
        "client" => client::serve(endpoint),
        _ => Err(format!("no such role: {role}").into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Any error; the benchmark shows it and stops.
type Error = Box<dyn std::error::Error>;

/// Removes the limits of the queues, as in the product: a benchmark that drops messages measures
/// nothing.
fn unlimited(socket: &zmq::Socket) -> Result<(), zmq::Error> {
    socket.set_sndhwm(0)?;
    socket.set_rcvhwm(0)?;
    socket.set_linger(0)
}
