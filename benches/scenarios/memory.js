'use strict';
// The memory of the broker for a waiting request, and for a connected peer.
const { openFiles } = require('../harness/machine.js');
const { QUIET } = require('./quiet.js');
const { comparison } = require('./scenario.js');

const WAITING = 100_000;
/** The frames `C` `2` `nobody` id `"foo"` `{"timeout":-1}`, with an id of 5 characters. */
const FRAMES = 1 + 1 + 6 + 5 + 5 + 14;

const PEERS = 2000;

const KINDS = [
  { kind: 'clients', title: 'a client' },
  { kind: 'workers', title: 'a worker' },
];

const waiting = comparison({
  name: 'memory-waiting',
  title: 'memory of the broker for a request that waits, beyond the bytes of its frames',
  unit: 'bytes',
  better: 'lower',
  needs: 'hold',
  async measure(cluster) {
    await cluster.start();
    const count = cluster.args.small ? cluster.args.smallCount : (cluster.args.count ?? WAITING);
    await cluster.measure('window', { count: 1000, depth: 100 });
    const before = await cluster.memoryOf(cluster.broker);
    await cluster.measure('hold', { count });
    const after = await cluster.memoryOf(cluster.broker);
    if (before === undefined) throw new Error('only Linux tells the memory of a process');
    return { value: (after.anonymous - before.anonymous) / count - FRAMES };
  },
});

/** Compared with the same peers at a bare ROUTER, which keeps no state: the difference is the broker's. */
const connected = {
  name: 'memory-peers',
  title: 'memory of the broker for a connected peer',
  unit: 'bytes',
  better: 'lower',
  suits: (system) => system.can.includes('fleet') || system.can.includes('sink'),
  cases(systems) {
    const ours = systems.find((system) => system.can.includes('fleet'));
    if (ours === undefined) return { cases: [] };
    const cases = systems
      .filter((system) => this.suits(system))
      .flatMap((system) =>
        KINDS.map(({ kind, title }) => ({
          id: `${system.name} ${kind}`,
          title: `${system.title}, ${title}`,
          system,
          ours,
          kind,
        })),
      );
    return { cases };
  },
  baseline: () => undefined,
  async measure(cluster, { system, ours, kind }) {
    const sink = system.can.includes('sink');
    cluster.broker = await cluster.launch(sink ? 'sink' : 'broker', { broker: QUIET });
    const most = Math.floor((openFiles() - 500) / 4);
    const count = Math.min(most, cluster.args.small ? 50 : PEERS);
    // The first few include the costs that all share.
    const conf = { kind, service: 'echo', apart: false, peer: QUIET };
    await cluster.launch('fleet', { ...conf, first: 0, count: Math.ceil(count / 10) }, ours);
    const before = await cluster.memoryOf(cluster.broker);
    await cluster.launch('fleet', { ...conf, first: count, count }, ours);
    const after = await cluster.memoryOf(cluster.broker);
    if (before === undefined) throw new Error('only Linux tells the memory of a process');
    return { value: (after.anonymous - before.anonymous) / count };
  },
};

module.exports = [waiting, connected];
