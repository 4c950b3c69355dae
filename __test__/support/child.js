'use strict';
// Programs in processes of their own. A program is a function of the test file, so that it can be read in its place;
// it gets what it needs as arguments, since it shares nothing with the test but its text.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');

/** The options of a test that stops a process by SIGSTOP. */
const STOPPING = { skip: process.platform === 'win32' && 'Windows has no SIGSTOP' };

const ROOT = path.join(__dirname, '..', '..');

/** Only turns a child that hangs into a test that fails. */
const KILL_AFTER = 120_000;

/**
 * Runs in the child, before the program. `say()` writes at once, since what is in a pipe of Node's own would be lost
 * by process.exit(). A child whose test was killed sees the end of a pipe that is there for that, and goes too.
 */
const PRELUDE = `
const say = (what, value = null) =>
  require('node:fs').writeSync(1, JSON.stringify({ what, value, at: Date.now() }) + '\\n');
new (require('node:net').Socket)({ fd: 3 }).on('close', () => process.exit(9)).resume().unref();
const omdp = require(${JSON.stringify(ROOT)});
`;

class Child {
  #lines = [];
  #waiting = [];
  #stderr = '';

  constructor(process, patience) {
    this.process = process;
    process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text;
    });
    readline.createInterface({ input: process.stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line));
      this.#look();
    });
    /** How it ended: its code, or the signal that killed it, when, and all that it said. */
    this.ended = new Promise((resolve, reject) => {
      process.on('error', reject);
      let at = 0;
      process.on('exit', () => {
        at = Date.now();
      });
      process.on('close', (code, signal) => {
        clearTimeout(timer);
        resolve({ code, signal, at, stderr: this.#stderr, said: this.#lines });
        this.#look(`the child ended (${signal ?? code}): ${this.#stderr}`);
      });
    });
    const timer = setTimeout(() => process.kill('SIGKILL'), patience);
  }

  /** Waits until it says this, and gives what it said: `{ what, value, at }`. */
  said(what) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ what, resolve, reject });
      this.#look();
    });
  }

  /** What it has said so far is not what is waited for. */
  forget(what) {
    this.#lines = this.#lines.filter((each) => each.what !== what);
  }

  /** Has a `stdin` listener of the program called. */
  tell(text) {
    this.process.stdin.write(`${text}\n`);
  }

  kill() {
    this.process.kill('SIGKILL');
  }

  #look(ended) {
    this.#waiting = this.#waiting.filter(({ what, resolve, reject }) => {
      const line = this.#lines.find((each) => each.what === what);
      if (line !== undefined) resolve(line);
      else if (ended !== undefined) reject(new Error(`never said "${what}": ${ended}`));
      return line === undefined && ended === undefined;
    });
  }
}

/**
 * @param {Function} program gets `{ omdp, say, ...args }`
 * @param {object} [args] what JSON takes
 * @param {{ nodeArgs?: string[], shell?: string, patience?: number }} [options] `shell` runs before Node, in its
 *   process; after `patience` ms the child is killed
 */
function runChild(t, program, args = {}, { nodeArgs = [], shell, patience = KILL_AFTER } = {}) {
  const source = `${PRELUDE}(${program})({ omdp, say, ...${JSON.stringify(args)} });`;
  const node = [process.execPath, ...nodeArgs, '-e', source];
  const command = shell === undefined ? node : ['sh', '-c', `${shell}; exec "$@"`, 'sh', ...node];
  const spawned = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], cwd: ROOT });
  const child = new Child(spawned, patience);
  t.after(() => child.kill());
  return child;
}

/**
 * Runs a program in a thread of a child, once until the thread exits and once until it is terminated, for which it posts a
 * message. The child has to end in order.
 * @param {Function | string} inThread gets `{ omdp, endpoint, service, how }`, `how` is `exit` or `terminate`
 * @param {{ endpoint: string, service: string }} args
 */
async function endThreads(t, inThread, args) {
  const outer = async ({ say, endpoint, service, inThread }) => {
    const { Worker } = require('node:worker_threads');
    for (const how of ['exit', 'terminate']) {
      const code = `(${inThread})({ omdp: require(${JSON.stringify(process.cwd())}), ...require('node:worker_threads').workerData })`;
      const thread = new Worker(code, { eval: true, workerData: { endpoint, service, how } });
      thread.on('message', () => thread.terminate());
      await require('node:events').once(thread, 'exit');
    }
    say('done');
  };
  const child = runChild(t, outer, { ...args, inThread: String(inThread) });
  await child.said('done');
  assert.equal((await child.ended).code, 0);
}

module.exports = { STOPPING, ROOT, endThreads, runChild };
