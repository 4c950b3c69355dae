'use strict';
// The processes of one scenario, the way between them, and the book of what became of every request.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { Relay } = require('./relay');

/** Requests of clients that were killed end with them. */
class Book {
  requests = 0;
  replies = 0;
  /** @type {Map<string, number>} */
  errors = new Map();
  /** Those that ended with `B_LOST`. @type {string[]} */
  unknown = [];
  longest = 0;
  /** Ended more than once, or with what is not theirs. */
  wrong = [];
  killed = 0;
  /** @type {Map<string, string>} by id, whose */
  open = new Map();
  #ended = new Set();

  begin(id, client) {
    this.requests += 1;
    this.open.set(id, client);
  }

  end(id, error, wait) {
    if (this.#ended.has(id)) this.wrong.push(`${id} ended twice`);
    this.#ended.add(id);
    this.open.delete(id);
    this.longest = Math.max(this.longest, wait);
    if (error === 'B_LOST') this.unknown.push(id);
    if (error === null) this.replies += 1;
    else if (typeof error === 'string' && /^[A-Z]_[A-Z_]+$/.test(error))
      this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
    else this.wrong.push(`${id}: ${JSON.stringify(error)}`);
  }

  forget(client) {
    for (const [id, owner] of this.open) {
      if (owner !== client) continue;
      this.open.delete(id);
      this.killed += 1;
    }
  }
}

class Cast {
  book = new Book();
  /** @type {Map<string, { child: import('node:child_process').ChildProcess, args: object, life: number }>} */
  #peers = new Map();
  /** Processes that were told to stop. @type {Set<import('node:child_process').ChildProcess>} */
  #leaving = new Set();
  #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-chaos-'));
  #starts = path.join(this.#folder, 'starts');
  /** @type {{ role: string, relay: Relay }[]} */
  #relays = [];
  /** What killed nobody, and still happened. */
  crashes = [];

  /** @param {{ heartbeat: number, liveness: number }} link of all peers @param {number} brokers @param {number} services of each worker */
  constructor(link, brokers, services) {
    this.link = link;
    this.services = services;
    this.endpoints = Array.from({ length: brokers }, () => freshEndpoint('tcp'));
  }

  async startBrokers() {
    const start = (endpoint, n) => this.start(`broker${n}`, { role: 'broker', endpoints: [endpoint] });
    await Promise.all(this.endpoints.map(start));
  }

  /** An endpoint for each broker, whose way to it can be made to fail. */
  relayed(role) {
    const listen = (endpoint) => {
      const relay = new Relay(endpoint);
      this.#relays.push({ role, relay });
      return relay.listen();
    };
    return Promise.all(this.endpoints.map(listen));
  }

  /** @param {string} role all if it is empty */
  relaysOf(role) {
    return this.#relays.filter((each) => role === '' || each.role === role).map(({ relay }) => relay);
  }

  /** Starts a process, and gives when it says that it has started. */
  async start(name, args) {
    const life = (this.#peers.get(name)?.life ?? 0) + 1;
    const shared = { link: this.link, starts: this.#starts, services: this.services };
    const conf = { ...shared, ...args, name: `${name}.${life}` };
    const program = path.join(__dirname, 'peer.js');
    const child = spawn(process.execPath, [program, JSON.stringify(conf)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#peers.set(name, { child, args, life });
    child.stdin.on('error', () => {});
    let started = () => {};
    const ready = new Promise((resolve) => {
      started = resolve;
    });
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const [what, id, ...rest] = JSON.parse(line);
      if (what === 'started') started(true);
      else if (what === 'begin') this.book.begin(id, conf.name);
      else if (what === 'end') this.book.end(id, .../** @type {[any, number]} */ (rest));
      else this.crashes.push(`${conf.name}: ${what} ${id}`);
    });
    // Once its output has been read to the end: what it ended before is not forgotten.
    child.on('close', (code, signal) => {
      this.book.forget(conf.name);
      if (signal !== 'SIGKILL' && !this.#leaving.has(child))
        this.crashes.push(`${conf.name} ended by itself: ${signal ?? code}`);
      started(false);
    });
    await ready;
  }

  names(role) {
    return [...this.#peers.keys()].filter((name) => name.startsWith(role));
  }

  signal(name, signal) {
    this.#peers.get(name)?.child.kill(signal);
  }

  /** SIGKILL, and another in its place. */
  async replace(name) {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    const closed = new Promise((resolve) => peer.child.on('close', resolve));
    peer.child.kill('SIGKILL');
    await closed;
    await this.start(name, peer.args);
  }

  /** Stopped in order, and another in its place. */
  async relieve(name) {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    const closed = new Promise((resolve) => peer.child.on('close', resolve));
    this.#leaving.add(peer.child);
    peer.child.stdin?.write('stop\n');
    await closed;
    await this.start(name, peer.args);
  }

  /** No more requests; waits until all have ended, or for so long. Gives how many had not. */
  async settle(patience) {
    for (const name of this.names('client')) this.#peers.get(name)?.child.stdin?.write('stop\n');
    const { open } = this.book;
    await until(() => open.size === 0, 'open', patience).catch(() => {});
    return open.size;
  }

  /** Waits until each worker has one connection to each broker. Gives how many workers had not. */
  async together(patience) {
    const apart = () => this.relaysOf('worker').filter(({ living }) => living !== 1).length;
    await until(() => apart() === 0, 'apart', patience).catch(() => {});
    return apart();
  }

  /** What handlers wrote down: of each request who started it, and who ended it. */
  #read() {
    const starts = new Map();
    const ends = new Map();
    const lines = fs.existsSync(this.#starts) ? fs.readFileSync(this.#starts, 'utf8').trim().split('\n') : [];
    for (const line of lines) {
      const [id, worker, ended] = line.split(' ');
      const book = ended === undefined ? starts : ends;
      book.set(id, [...(book.get(id) ?? []), worker]);
    }
    return { starts, ends };
  }

  /** Requests that more than one start is known of, with whose they were. */
  twice() {
    return [...this.#read().starts].filter(([, workers]) => workers.length > 1);
  }

  /** How far those had come that ended with `B_LOST`: not started, started, ended by their handler. */
  fates() {
    const { starts, ends } = this.#read();
    const fates = [0, 0, 0];
    for (const id of this.book.unknown) fates[ends.has(id) ? 2 : starts.has(id) ? 1 : 0] += 1;
    return fates;
  }

  async close() {
    const closed = [...this.#peers.values()].map(
      ({ child }) =>
        child.exitCode !== null ||
        child.signalCode !== null ||
        new Promise((resolve) => child.on('close', resolve)),
    );
    for (const { child } of this.#peers.values()) child.kill('SIGKILL');
    for (const relay of this.relaysOf('')) relay.close();
    await Promise.all(closed);
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

module.exports = { Cast };
