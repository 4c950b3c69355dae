'use strict';
// The program of each Node.js process of a system under test: runs one role and answers the benchmark's
// questions.
const { monitorEventLoopDelay } = require('node:perf_hooks');
const ops = require('./ops.js');

/** The number of handled requests, which the benchmark compares with the client's result. */
const tally = { handled: 0 };

/** @type {Record<string, (role: any, params: any) => any>} */
const ANSWERS = {
  tally: () => ({ handled: tally.handled }),
  progress: () => ({ ...ops.progress, handled: tally.handled }),
  settle: () => {
    globalThis.gc?.();
    return {};
  },
  watchLoop: () => {
    loop.reset();
    loop.enable();
    return {};
  },
  loop: () => {
    loop.disable();
    const ms = (nanoseconds) => nanoseconds / 1e6;
    return {
      p50: ms(loop.percentile(50)),
      p99: ms(loop.percentile(99)),
      max: ms(loop.max),
      samples: loop.count,
    };
  },
  window: ops.window,
  seq: ops.seq,
  stream: ops.stream,
  hold: ops.hold,
  trickle: ops.trickle,
};

const loop = monitorEventLoopDelay({ resolution: 1 });

async function main() {
  const { system, role, conf } = JSON.parse(process.argv[2]);
  process.once('disconnect', () => process.exit());
  const driver = require('../systems').driver(system);
  const running = await driver[role](conf, tally);
  process.on('message', async ({ id, op, params }) => {
    try {
      process.send?.({ id, result: await ANSWERS[op](running, params) });
    } catch (error) {
      process.send?.({ id, error: error?.stack ?? String(error) });
    }
  });
  process.send?.({ ready: true });
}

main().catch((error) => {
  process.stderr.write(`${error?.stack ?? error}\n`, () => process.exit(1));
});
