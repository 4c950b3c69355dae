//! The interface to the benchmark: one question a line, one answer a line.

use crate::Error;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

/// Reports that the role is ready.
pub fn ready() -> Result<(), Error> {
    say(&json!({ "ready": true }))
}

/// Answers questions until stdin ends, that is, until the benchmark has ended.
pub fn answer(mut work: impl FnMut(&str, &Value) -> Result<Value, Error>) -> Result<(), Error> {
    for line in std::io::stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line?)?;
        let op = question["op"].as_str().unwrap_or_default();
        let reply = match work(op, &question["params"]) {
            Ok(result) => json!({ "id": question["id"], "result": result }),
            Err(error) => json!({ "id": question["id"], "error": error.to_string() }),
        };
        say(&reply)?;
    }
    Ok(())
}

fn say(value: &Value) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

/// Reads a required number of a question.
pub fn number(params: &Value, name: &str) -> Result<usize, Error> {
    params[name]
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| format!("{name} is missing").into())
}
