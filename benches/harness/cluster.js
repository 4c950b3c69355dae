'use strict';
// The processes of one run of one system, and the checks of their results.
const net = require('node:net');
const { startLines, startNode, startServer } = require('./child.js');
const { cpuSeconds, memory } = require('./proc.js');

/** The time limit in seconds for steps that are not measured. */
const START_BOUND = 30;

class Cluster {
  #system;
  #bound;
  #children = [];

  constructor(system, args) {
    this.#system = system;
    this.#bound = args.bound;
    this.args = args;
  }

  /**
   * Starts broker, worker and client, each after the previous one is ready.
   * @param {object} [confs] by role
   */
  async start(confs = {}) {
    this.broker = await this.launch('broker', confs.broker);
    this.worker = await this.launch('worker', confs.worker);
    this.client = await this.launch('client', confs.client);
    return this;
  }

  /** Starts a further process, of this system or another. @param {string} role @param {object} [conf] */
  async launch(role, conf, system = this.#system) {
    this.ports ??= [await freePort(), await freePort()];
    const { transport } = this.args;
    const all = { service: 'echo', kind: 'echo', ...system.conf, ...conf, ports: this.ports, transport };
    const what = `${role} of ${system.name}`;
    const spec = system.launch?.(role, all) ?? {};
    let child;
    if (spec.lines) child = startLines(what, spec.lines);
    else if (spec.server) child = startServer(what, spec.server, spec.port);
    else child = startNode(what, { system: system.name, role, conf: all });
    this.#children.push(child);
    await child.ready(role === 'fleet' ? this.#bound : START_BOUND);
    return child;
  }

  /**
   * Executes an operation of the client. Checks that every reply was right and that the worker handled
   * exactly the requests that were made.
   * @param {'window' | 'seq' | 'stream' | 'hold' | 'trickle'} op
   * @param {object} params
   */
  async measure(op, params, client = this.client) {
    const before = await this.#handled();
    const result = await this.#bounded(op, params, client);
    const handled = (await this.#handled()) - before;
    const wanted = op === 'stream' ? params.parts : op === 'hold' ? 1 : params.count;
    if (result.wrong > 0) {
      throw new Error(
        `${result.wrong} of ${wanted} replies are wrong, the first: ${result.firstWrong ?? '?'}`,
      );
    }
    if (result.count !== wanted) throw new Error(`${result.count} replies came, ${wanted} were asked for`);
    const requests = op === 'stream' || op === 'hold' ? 1 : params.count;
    if (handled !== requests)
      throw new Error(`the worker handled ${handled} requests in place of ${requests}`);
    return result;
  }

  /**
   * Executes an operation of several clients at the same time, with the checks of measure().
   * @param {'seq'} op @param {{ count: number }} params of each
   * @param {any[]} clients
   */
  async measureAll(op, params, clients) {
    const before = await this.#handled();
    const results = await Promise.all(clients.map((client) => this.#bounded(op, params, client)));
    const handled = (await this.#handled()) - before;
    const wrong = results.find((result) => result.wrong > 0 || result.count !== params.count);
    if (wrong) throw new Error(`${wrong.wrong} replies are wrong, the first: ${wrong.firstWrong ?? '?'}`);
    const requests = params.count * clients.length;
    if (handled !== requests)
      throw new Error(`the worker handled ${handled} requests in place of ${requests}`);
    return results;
  }

  async #handled() {
    const workers = [this.worker].flat();
    const tallies = await Promise.all(workers.map((worker) => worker.call('tally', {}, this.#bound)));
    return tallies.reduce((sum, { handled }) => sum + handled, 0);
  }

  async #bounded(op, params, client) {
    try {
      return await client.call(op, params, this.#bound);
    } catch (error) {
      if (error.hung) error.message += ` (${await this.#progress(client)})`;
      throw error;
    }
  }

  /** The progress of a hung operation, as far as the processes still answer. */
  async #progress(client) {
    const ask = (child) => child.call('progress', {}, 2).catch(() => undefined);
    const [there, ...workers] = await Promise.all([client, this.worker].flat().map(ask));
    const handled = workers.map((each) => each?.handled ?? '?').join(' + ');
    return `the client has sent ${there?.sent ?? '?'} and received ${there?.received ?? '?'}, the worker handled ${handled}`;
  }

  /**
   * Measures as measure() does, and adds the processor time of all threads of each process, in µs a request:
   * the cost of a request where enough cores are available.
   */
  async measureCpu(op, params, client = this.client) {
    const roles = Object.entries({ brokerCpu: this.broker, workerCpu: this.worker, clientCpu: client });
    const read = () => roles.map(([, children]) => [children].flat().map(({ pid }) => cpuSeconds(pid)));
    const before = read();
    const result = await this.measure(op, params, client);
    const after = read();
    const micros = (i) =>
      after[i].reduce((sum, cpu, child) => sum + (cpu - before[i][child]) * 1e6, 0) / result.count;
    const cpu = Object.fromEntries(roles.map(([name], i) => [name, micros(i)]));
    return { ...result, cpu };
  }

  /** The memory of a process, after a garbage collection if it runs JavaScript. */
  async memoryOf(child) {
    await child.call('settle', {}, this.#bound).catch(() => {});
    return memory(child.pid);
  }

  async stop() {
    await Promise.all(this.#children.map((child) => child.kill()));
  }
}

/**
 * A free port of the loopback, below the range of ephemeral ports, so that no outgoing connection takes it
 * before its use.
 */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (await isFree(port)) return port;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

module.exports = { Cluster };
