'use strict';
// A relay of tcp or ipc that can fail as networks do: cut connections, stall them, or swallow what they carry without a word.
const { once } = require('node:events');
const net = require('node:net');

/** @param {string} endpoint @returns {{ path?: string, host?: string, port?: number }} */
function addressOf(endpoint) {
  if (endpoint.startsWith('ipc://')) return { path: endpoint.slice('ipc://'.length) };
  const { hostname: host, port } = new URL(endpoint);
  return { host, port: Number(port) };
}

/** By RST where there is one. @param {net.Socket} socket */
const reset = (socket) => (socket.remotePort === undefined ? socket.destroy() : socket.resetAndDestroy());

/** The number of the last socket file. */
let sockets = 0;

class Relay {
  #server;
  #pairs = new Set();
  #target;
  /** @type {'open' | 'stalled' | 'dead'} */
  #state = 'open';
  /** The number of connections that could not be passed on. */
  refused = 0;
  /** Bytes in a turn of 10 ms, for a slow line. */
  #rate = Number.POSITIVE_INFINITY;
  /** How long bytes are under way, in ms. */
  #delay = 0;

  /** @param {string} endpoint of tcp or ipc */
  constructor(endpoint) {
    this.#target = addressOf(endpoint);
    this.#server = net.createServer((near) => this.#join(near));
  }

  /** At a free endpoint of the same transport. */
  async listen() {
    const { path, host } = this.#target;
    this.#server.listen(path === undefined ? { host, port: 0 } : { path: `${path}~${++sockets}` });
    await once(this.#server, 'listening');
    const address = /** @type {import('node:net').AddressInfo | string} */ (this.#server.address());
    return typeof address === 'string' ? `ipc://${address}` : `tcp://${host}:${address.port}`;
  }

  /** The number of open connections. */
  get connections() {
    return this.#pairs.size;
  }

  /** The number of those that lose nothing. */
  get living() {
    return [...this.#pairs].filter(({ dead }) => !dead).length;
  }

  #join(near) {
    const far = net.connect(/** @type {import('node:net').NetConnectOpts} */ (this.#target));
    const pair = { near, far, dead: false };
    this.#pairs.add(pair);
    const end = () => {
      // The other side of a dead line hears nothing, not even of its end.
      if (pair.dead) return;
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on('error', ({ code }) => {
        if (from === far && code === 'ECONNREFUSED') this.refused += 1;
      });
      from.on('close', end);
      from.on('data', (bytes) => {
        if (!pair.dead) this.#pass(from, to, bytes);
      });
    }
    if (this.#state === 'dead') pair.dead = true;
    if (this.#state === 'stalled') this.#pause(pair);
  }

  #pass(from, to, bytes) {
    if (this.#delay > 0) return void setTimeout(() => to.write(bytes), this.#delay);
    to.write(bytes);
    if (this.#rate === Number.POSITIVE_INFINITY) return;
    from.pause();
    setTimeout(() => this.#state === 'stalled' || from.resume(), (bytes.length / this.#rate) * 10);
  }

  #pause({ near, far }) {
    near.pause();
    far.pause();
  }

  /** Every connection ends at once, at both sides. */
  cut() {
    for (const { near, far } of [...this.#pairs]) {
      reset(near);
      reset(far);
    }
    this.#pairs.clear();
  }

  /** Every connection is closed at both sides, as by the end of a process. */
  finish() {
    for (const { near, far } of [...this.#pairs]) {
      near.destroy();
      far.destroy();
    }
    this.#pairs.clear();
  }

  /** Every connection ends at the side that made it; the other side keeps it, as after a change of address. */
  desert() {
    for (const pair of [...this.#pairs]) {
      pair.dead = true;
      reset(pair.near);
    }
  }

  /** Every connection is reset at the side of the broker; the side that made it keeps it, and what it sends is lost. */
  strand() {
    for (const pair of [...this.#pairs]) {
      pair.dead = true;
      reset(pair.far);
    }
  }

  /** Nothing passes, nothing is lost: TCP holds it back. */
  stall() {
    this.#state = 'stalled';
    for (const pair of this.#pairs) this.#pause(pair);
  }

  /** What is sent is taken and lost, and neither side hears of it. So are connections made meanwhile. */
  kill() {
    this.#state = 'dead';
    for (const pair of this.#pairs) pair.dead = true;
  }

  /** @param {number} rate bytes in 10 ms */
  slow(rate) {
    this.#rate = rate;
  }

  /** @param {number} delay of every byte, in ms; not to be combined with a slow line */
  far(delay) {
    this.#delay = delay;
  }

  /** New connections are good ones; stalled ones go on; dead ones stay dead, their ends have to notice. */
  heal() {
    this.#state = 'open';
    this.#rate = Number.POSITIVE_INFINITY;
    for (const { near, far, dead } of this.#pairs) {
      if (dead) continue;
      near.resume();
      far.resume();
    }
  }

  close() {
    this.#server.close();
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }
}

module.exports = { Relay };
