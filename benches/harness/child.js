'use strict';
// A process of a system under test: starts it, asks it questions, and kills it. A question that is not
// answered in time ends the run as a failure.
const { fork, spawn } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');
const readline = require('node:readline');

const HOST = path.join(__dirname, 'host.js');
/** How many characters of a process's output are shown when it fails. */
const TAIL = 4000;

/**
 * All running processes: none may survive the benchmark.
 * @type {Set<import('node:child_process').ChildProcess>}
 */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

class Child {
  #process;
  #send;
  #what;
  #tail = '';
  #lastId = 0;
  #pending = new Map();
  #ended;
  #killed = false;

  /**
   * @param {string} what for messages
   * @param {import('node:child_process').ChildProcess} child
   * @param {((question: object) => void) | undefined} send
   */
  constructor(what, child, send) {
    this.#what = what;
    this.#process = child;
    this.#send = send;
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#tail = (this.#tail + text).slice(-TAIL);
    });
    running.add(child);
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    this.#ended.then((how) => {
      running.delete(child);
      for (const { reject } of this.#pending.values()) reject(this.#failed(`ended (${how})`));
      this.#pending.clear();
    });
  }

  get pid() {
    return this.#process.pid;
  }

  /** Handles an answer. */
  take({ id = 0, ready, result, error }) {
    const waiting = this.#pending.get(id);
    if (waiting === undefined) return;
    this.#pending.delete(id);
    if (error !== undefined) waiting.reject(this.#failed(error));
    else waiting.resolve(ready ?? result);
  }

  /** Asks a question. @param {string} op @param {object} params @param {number} seconds the time limit */
  call(op, params, seconds) {
    this.#lastId += 1;
    const answer = this.#expect(this.#lastId, op, seconds);
    this.#send?.({ id: this.#lastId, op, params });
    return answer;
  }

  /** Waits until the process is ready. @param {number} seconds */
  ready(seconds) {
    return this.#expect(0, 'start', seconds);
  }

  #expect(id, op, seconds) {
    let timer;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(Object.assign(this.#failed(`no answer to "${op}" within ${seconds} s`), { hung: true }));
      }, seconds * 1000);
      this.#ended.then((how) => reject(this.#failed(`ended (${how}) before "${op}"`)));
    }).finally(() => clearTimeout(timer));
  }

  #failed(reason) {
    const said = this.#tail.trim();
    return new Error(`the ${this.#what} ${reason}${said === '' ? '' : `; it said:\n${said}`}`);
  }

  /** Kills the process at the end of a run, when its state no longer matters. */
  async kill() {
    if (this.#killed) return;
    this.#killed = true;
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** Starts a role of a system that runs in Node.js. */
function startNode(what, spec) {
  const child = fork(HOST, [JSON.stringify(spec)], {
    // The old packages use deprecated functions, and memory is measured after a collection.
    execArgv: ['--no-deprecation', '--expose-gc'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const result = new Child(what, child, (question) => child.send(question, () => {}));
  child.on('message', (answer) => result.take(answer));
  return result;
}

/** Starts a program that takes questions on stdin and answers on stdout, each a line of JSON. */
function startLines(what, [program, ...args]) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  const result = new Child(what, child, (question) => child.stdin.write(`${JSON.stringify(question)}\n`));
  readline.createInterface({ input: child.stdout }).on('line', (line) => result.take(JSON.parse(line)));
  return result;
}

/** Starts a server that takes no questions; it is ready when its port accepts connections. */
function startServer(what, [program, ...args], port) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const result = new Child(what, child, undefined);
  let over = false;
  child.once('exit', () => {
    over = true;
  });
  const probe = () => {
    if (over) return;
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      result.take({ ready: true });
    });
    socket.once('error', () => setTimeout(probe, 20));
  };
  setImmediate(probe);
  return result;
}

module.exports = { startLines, startNode, startServer };
