'use strict';
// The program of each process of the cluster; see index.js.
const cluster = require('node:cluster');
const { Worker } = require('zmq-omdp');

/** @param {number} n @returns {number} */
function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

const worker = new Worker(process.env.OMDP_ENDPOINT, 'fibonacci');
worker.on('request', (n, reply) => {
  // Stands for a defect that ends the whole process.
  if (n === 'crash') process.exit(1);
  reply.end({ value: fibonacci(n), by: cluster.worker.id });
});
// The broker can give it requests from now on.
worker.once('connect', () => process.send('ready'));
worker.start();

// The primary has called cluster.disconnect(). Running requests end first; then the process ends.
process.once('disconnect', () => worker.stop());
