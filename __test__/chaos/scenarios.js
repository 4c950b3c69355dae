'use strict';
// What goes wrong, and how often. `act` does one thing, by chance; it is done again after a pause until time is up,
// and `heal` makes good what still lasts.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {(below: number) => number} below @template T @param {T[]} from @returns {T} */
const pick = (below, from) => from[below(from.length)];

const replace = (role) => ({
  act: (cast, below) => cast.replace(pick(below, cast.names(role))),
});

/** Stopped for longer than its heart may stand still, or for less. */
const freeze = (role) => ({
  act: async (cast, below) => {
    const name = pick(below, cast.names(role));
    cast.signal(name, 'SIGSTOP');
    await pause(pick(below, [20, 200, 1500]));
    cast.signal(name, 'SIGCONT');
  },
});

/** Stopped for as long as a machine that swaps, or moves to another host; a heart of the usual pace outlasts it. */
const suspend = (role) => ({
  heartbeat: 2500,
  liveness: 3,
  act: async (cast, below) => {
    const name = pick(below, cast.names(role));
    cast.signal(name, 'SIGSTOP');
    await pause(1000 + below(4000));
    cast.signal(name, 'SIGCONT');
  },
});

/** All clients are stopped for longer than the broker waits for silent peers, some with streams on their way. */
const suspendAll = {
  heartbeat: 500,
  liveness: 3,
  uploads: true,
  act: async (cast) => {
    await pause(500);
    for (const name of cast.names('client')) cast.signal(name, 'SIGSTOP');
    await pause(6000);
    for (const name of cast.names('client')) cast.signal(name, 'SIGCONT');
  },
};

/** One broker after the other is stopped in order, and started again. */
const roll = () => {
  let turn = 0;
  return {
    brokers: 2,
    liveness: 20,
    act: async (cast) => {
      const names = cast.names('broker');
      turn += 1;
      await cast.relieve(names[turn % names.length]);
      await pause(1000);
    },
  };
};

/** @param {string} [role] whose connections; everybody's if it is missing */
const network = (what, lasts, role = '') => ({
  act: async (cast, below) => {
    const relay = pick(below, cast.relaysOf(role));
    what(relay);
    await pause(pick(below, lasts));
    relay.heal();
  },
});

/** All connections of a role at once, before most have done much. @param {string} role all if it is empty */
const cutFast = (role) => ({
  act: async (cast) => {
    for (const relay of cast.relaysOf(role)) relay.cut();
    await pause(100);
  },
});

const SCENARIOS = {
  'no-faults': { act: async () => {} },
  'kill-workers': replace('worker'),
  'kill-workers-retry': { ...replace('worker'), retry: 3 },
  'kill-broker': replace('broker'),
  'kill-clients': replace('client'),
  'freeze-workers': freeze('worker'),
  'freeze-broker': freeze('broker'),
  'cut-connections': network((relay) => relay.cut(), [0]),
  'stall-connections': network((relay) => relay.stall(), [50, 400, 1800]),
  'half-open': network((relay) => relay.kill(), [50, 400, 1800]),
  'slow-lines': { data: 100_000, ...network((relay) => relay.slow(4096), [300, 1000]) },
};

/** What dies knew nothing that others do not know, so every request ends with its reply. */
const LOSSLESS = {
  // And so what was under way ends with no code at all.
  'kill-broker-slowly': { act: (cast) => cast.replace('broker0').then(() => pause(2000)) },
  'cut-clients': network((relay) => relay.cut(), [0], 'client'),
  'cut-workers': network((relay) => relay.cut(), [0], 'worker'),
  'cut-clients-fast': cutFast('client'),
  'cut-workers-fast': cutFast('worker'),
  'cut-all-fast': cutFast(''),
  'black-holes': { heartbeat: 2500, liveness: 3, ...network((relay) => relay.stall(), [1000, 2500, 5000]) },
  'swallow-clients': {
    heartbeat: 2500,
    liveness: 3,
    ...network((relay) => relay.kill(), [1000, 2500, 5000], 'client'),
  },
  'strand-clients': network((relay) => relay.strand(), [2000], 'client'),
  'strand-workers': network((relay) => relay.strand(), [2000], 'worker'),
  'strand-workers-slow': {
    heartbeat: 2500,
    liveness: 3,
    ...network((relay) => relay.strand(), [2000], 'worker'),
  },
  'cut-all-large': { data: 8_000_000, pace: 60, ...cutFast('') },
  'suspend-clients-long': suspendAll,
  'suspend-clients': suspend('client'),
  'suspend-workers': suspend('worker'),
  'suspend-broker': suspend('broker'),
  'stop-broker': { act: (cast) => cast.relieve('broker0').then(() => pause(1000)), liveness: 20 },
  'rolling-restart': roll(),
  'rolling-restart-retry': { ...roll(), retry: 2 },
};
for (const [name, scenario] of Object.entries(LOSSLESS)) {
  SCENARIOS[name] = { ...scenario, timeouts: false, lossless: true };
}

/** Each worker has three services, which share a connection. */
const SEVERAL = [
  'no-faults',
  'kill-workers',
  'kill-workers-retry',
  'kill-broker',
  'kill-broker-slowly',
  'freeze-workers',
  'freeze-broker',
  'half-open',
  'stall-connections',
  'cut-workers',
  'cut-all-fast',
  'suspend-workers',
  'stop-broker',
  'rolling-restart',
  'rolling-restart-retry',
];
for (const name of SEVERAL) SCENARIOS[`services-${name}`] = { ...SCENARIOS[name], services: 3 };

/** Any of the others, one after another. */
const others = Object.values(SCENARIOS);
SCENARIOS.everything = { act: (cast, below) => pick(below, others).act(cast, below) };
SCENARIOS['services-everything'] = { ...SCENARIOS.everything, services: 3 };

module.exports = { SCENARIOS, pause };
