'use strict';
// `npm run demo`: starts a broker, a worker and a client, each in a separate process (demo/*.js), lets the client send
// four requests, and prints the reports of all processes in order. The exit code is 0 if all requests succeeded.
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

/** Much longer than the demo takes: it turns a demo that hangs into one that fails. */
const PATIENCE_MS = 30_000;

/** @type {Map<string, import('node:child_process').ChildProcess>} */
const running = new Map();
/** Reports that are not printed yet. @type {{ at: number, who: string, text: string }[]} */
let said = [];
/** Processes that have reported the end of a step, until the demo waits for it. @type {string[]} */
const reports = [];
let wake = () => {};

function fail(why) {
  print();
  console.error(`\n✗ The demo failed: ${why}`);
  for (const child of running.values()) child.kill('SIGKILL');
  process.exit(1);
}

function launch(who, ...args) {
  const child = fork(path.join(__dirname, 'demo', `${who}.js`), args);
  running.set(who, child);
  child.on('message', ({ at, text, fault, done }) => {
    if (fault !== undefined) fail(`${who}: ${fault}`);
    if (text !== undefined) said.push({ at, who, text });
    if (done !== undefined) {
      reports.push(who);
      wake(done);
    }
  });
  child.once('exit', (code, signal) => {
    running.delete(who);
    if (code !== 0) fail(`the ${who} ended with ${signal ?? `exit code ${code}`}`);
  });
  return child;
}

/** Waits until each of these processes has reported; the result is the last value that was reported. */
async function reported(...names) {
  let value;
  while (!names.every((name) => reports.includes(name))) {
    value = await new Promise((resolve) => {
      wake = resolve;
    });
  }
  for (const name of names) reports.splice(reports.indexOf(name), 1);
  return value;
}

/** Reports arrive in any order; their timestamps come from one clock. */
function print() {
  said.sort((a, b) => a.at - b.at);
  for (const { who, text } of said) console.log(`  ${who.padEnd(6)}  ${text}`);
  said = [];
}

async function end(who) {
  const child = running.get(who);
  if (child === undefined) return;
  const exit = once(child, 'exit');
  child.disconnect();
  await exit;
}

async function main() {
  setTimeout(() => fail(`it is not through after ${PATIENCE_MS / 1000} s`), PATIENCE_MS).unref();

  console.log(
    'A client asks for a service by its name. The broker hands the request to a worker that offers the',
  );
  console.log('service, and passes the reply back. Here each of the three is a process of its own:\n');
  launch('broker');
  const endpoint = await reported('broker');
  launch('worker', endpoint);
  await reported('worker', 'broker');
  const client = launch('client', endpoint);
  await reported('client');
  print();

  const requests = [
    ['greet', 'A request with one answer'],
    ['count', 'A reply in parts'],
    ['divide', 'A request that fails'],
    ['file', 'A file, as bytes'],
  ];
  for (const [index, [name, title]] of requests.entries()) {
    console.log(`\n${index + 1}. ${title}`);
    client.send(name);
    await reported('client', 'worker');
    print();
  }

  console.log('\nEach is stopped, and its process ends by itself:');
  await end('client');
  await Promise.all([end('worker'), reported('broker')]);
  await end('broker');
  print();
  console.log('\n✓ All four requests went as they should.');
}

main();
