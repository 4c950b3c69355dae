'use strict';
// The end of a process: everything that the application has submitted is sent before. Every deliberate end emits
// 'exit', and no turn of the event loop follows.

const { performance } = require('node:perf_hooks');
const { END_MS, endPeers } = require('./load');

/** @import { Outbox } from './outbox' */

/** How many of the ms that the last messages have, over all peers, may pass while replies wait for credit. */
const CREDIT_MS = END_MS / 2;

/** Interval between two looks for credit, in ms. */
const LOOK_MS = 1;

/** The outboxes of running peers. @type {Set<Outbox>} */
const OPEN = new Set();

/** @param {Outbox} outbox */
function opened(outbox) {
  // Not earlier, so that the listeners of the application run first: they may make requests and end replies.
  if (OPEN.size === 0) process.on('exit', exit);
  OPEN.add(outbox);
}

/** @param {Outbox} outbox */
function closed(outbox) {
  if (OPEN.delete(outbox) && OPEN.size === 0) process.off('exit', exit);
}

function exit() {
  const begin = performance.now();
  sendRest([...OPEN], begin + CREDIT_MS);
  endPeers(Math.max(0, begin + END_MS - performance.now()));
}

/**
 * Submits everything, and waits for the credit that ended replies need.
 * @param {Outbox[]} outboxes
 * @param {number} until
 */
function sendRest(outboxes, until) {
  let waiting = outboxes;
  do {
    if (waiting !== outboxes) pause();
    waiting = waiting.filter((outbox) => {
      const waits = outbox.rest();
      outbox.flush();
      return waits;
    });
  } while (waiting.length > 0 && performance.now() < until);
}

function pause() {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  } catch {
    // A thread that must not wait looks without pauses.
  }
}

exports.opened = opened;
exports.closed = closed;
