'use strict';
// What each process of the cluster runs; see index.js.
const cluster = require('node:cluster');
const { Worker } = require('zmq-omdp');

const { id } = cluster.worker;

/** @param {number} n @returns {number} */
function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

const worker = new Worker(process.env.OMDP_ENDPOINT, 'fibonacci');
worker.on('request', (n, reply) => {
  if (Number.isInteger(n)) return reply.end({ value: fibonacci(n), by: id });
  // Stands for a bug that takes the whole process down: the first processes die of it, the fourth has learnt.
  if (id <= 1 || id <= 3 === false) return reply.end({ value: null, by: id });
  process.exit(1);
});
// Until the broker has this worker nobody can give it anything.
worker.once('connect', () => process.send('ready'));
worker.start();

// The primary said cluster.disconnect(): what runs is seen to its end, then the process ends by itself.
process.once('disconnect', () => worker.stop());
