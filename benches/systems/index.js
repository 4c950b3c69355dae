'use strict';
// All systems. To add one, write its file and list it here: `name`, `title`, what it `can`, `prepare(args)`
// for the benchmark's process, and `broker`, `worker` and `client` for separate processes, or `launch` for
// other programs.
//
// Values of `can`: text (requests and replies), paced (requests at a given rate), parts (many partials for a
// request), bytes (Buffers), listeners (streams with listeners), loop (the broker runs in a Node.js process),
// hold (requests may wait in the broker), fleet. `asked`: the system takes part only if it is named. `ipc`: it
// can use Unix sockets.
const { Usage } = require('../harness/args.js');

const systems = [
  require('./ours.js'),
  require('./no-spin.js'),
  require('./transfer.js'),
  require('./curve.js'),
  require('./observed.js'),
  require('./subscribed.js'),
  require('./traced.js'),
  ...require('./shared.js'),
  require('./original.js'),
  require('./pigato.js'),
  require('./nats.js'),
  require('./zeromq.js'),
  require('./grpc.js'),
  require('./bare.js'),
];

/** @param {string[] | undefined} names */
function pickSystems(names) {
  if (names === undefined) return systems.filter(({ asked }) => !asked);
  for (const name of names) {
    if (!systems.some((system) => system.name === name)) throw new Usage(`no such system: ${name}`);
  }
  return systems.filter(({ name }) => names.includes(name));
}

/** @param {string} name */
function driver(name) {
  const found = systems.find((system) => system.name === name);
  if (found === undefined) throw new Error(`no such system: ${name}`);
  return found;
}

module.exports = { driver, pickSystems, systems };
