'use strict';
// The command `zmq-omdp`, in a process of its own, or together with others.
const { fork, spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { createInterface } = require('node:readline');

const BIN = path.join(__dirname, '..', '..', 'bin', 'zmq-omdp.js');

/** Runs it; `logged(event)` waits for a line of its JSON log, `logged(event, true)` for one that is still to come. */
function cli(t, args, { env = {}, input } = {}) {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: 'pipe', env: { ...process.env, ...env } });
  t.after(() => child.kill('SIGKILL'));
  const lines = [];
  const waiting = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look(line);
  });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  if (input !== undefined) child.stdin.end(input);
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, out: Buffer.concat(chunks), lines }));
  });
  const logged = (event, anew = false) =>
    new Promise((resolve, reject) => {
      const look = (line) =>
        line.startsWith('{') && JSON.parse(line).event === event && resolve(JSON.parse(line));
      waiting.push(look);
      if (!anew) lines.forEach(look);
      ended.then(() => reject(new Error(`it ended without "${event}": ${lines.join('\n')}`)));
    });
  return { child, ended, logged };
}

/** The process that runs commands, until one of them ends it. */
let host;
let last = Promise.resolve();

function startHost() {
  host = fork(path.join(__dirname, 'cli-host.js'));
  host.on('exit', () => {
    host = undefined;
  });
}

/** Keeps this process alive while a command runs, and only then. */
function setWaiting(waits) {
  const verb = waits ? 'ref' : 'unref';
  host?.[verb]();
  host?.channel?.[verb]();
}

async function runInHost(args, env) {
  if (host === undefined) startHost();
  setWaiting(true);
  try {
    const ended = new AbortController();
    host.send({ args, env });
    return await Promise.race([
      once(host, 'message', ended).then(([end]) => end),
      once(host, 'exit', ended).then(([code, signal]) => {
        throw new Error(`the command ended its host: ${signal ?? code}`);
      }),
    ]).finally(() => ended.abort());
  } finally {
    setWaiting(false);
  }
}

/** The end of a command that ends by itself and reads no input: `{ code, out, lines }`. */
function cliEnd(args, env = {}) {
  const end = last.then(() => runInHost(args, env));
  last = end.catch(() => {});
  return end;
}

module.exports = { cli, cliEnd };
