'use strict';
// Messages that are none, or nearly, from a seed: what somebody sends who means no good, or has lost its mind.

const { batch, part } = require('./packed');

/** A small generator of numbers that look random, the same for the same seed (mulberry32). */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

const HELLO = '{"heartbeat":2500,"liveness":3,"omdp":1,"packed":true,"session":"s"}';
const WORKER_HELLO = '{"concurrency":3,"heartbeat":2500,"liveness":3,"omdp":1,"prefetch":9,"session":"s"}';
const TOKEN = '\0\0\0\0\x01\0\0\0\0';

/** Several in one frame. */
const TOGETHER = {
  toBroker: batch(part('C', '4'), part('C', '2', 'a', 'r5', '1', '{}', '\0\0\0\0\x32'), part('W', '4')),
  toWorker: batch(part('W', '4'), part('W', '2', 'client', 'r1', '1', '{}', TOKEN)),
  toClient: batch(part('C', '4'), part('C', '3', 'r1', '0', '1')),
};

/** Right, or nearly, for whoever gets them. Their services and ids are few, so that they meet. */
const MODELS = {
  toBroker: [
    ['W', '1', 'a'],
    ['W', '1', 'b', WORKER_HELLO],
    ['W', '3', 'nobody', 'r1', '0', '1'],
    ['W', '3', 'nobody', 'r1', '0', '1', TOKEN],
    ['W', '6', 'nobody', 'r1', '0', '1', TOKEN],
    ['W', '4'],
    ['W', '5'],
    ['W', '9', TOKEN.slice(1)],
    ['C', '1', HELLO],
    ['C', '2', 'a', 'r1', '1', '{"timeout":50}'],
    ['C', '2', 'b', 'r2', 'ab', '{}', '\x01\0\0\0\x32'],
    ['C', '2', 'mmi.services', 'r3', 'null', '{}'],
    ['C', '4'],
    ['C', '4', 'r1'],
    ['C', '5'],
    ['C', '8', 'r1'],
    ['\x01\x01C\x012\x01a\x02r4\x011\x02{}\x05\0\0\0\0\x32'],
    [TOGETHER.toBroker],
  ],
  mdpToBroker: [
    ['', 'MDPC01', 'm', 'body', 'more'],
    ['', 'MDPW01', '\x01', 'm'],
    ['', 'MDPW01', '\x03', 'nobody', '', 'body'],
    ['', 'MDPW01', '\x04'],
    ['', 'MDPW01', '\x05'],
  ],
  toWorker: [
    ['W', '1', HELLO],
    ['W', '2', 'client', 'r1', '1'],
    ['W', '2', 'client', 'r1', '1', '{}', TOKEN],
    ['W', '2', 'client', 'r2', '"text"', '{broken', TOKEN],
    ['W', '4'],
    ['W', '4', 'client', 'r1'],
    ['W', '8', TOKEN.slice(1)],
    ['\x01\x01W\x014'],
    [TOGETHER.toWorker],
  ],
  toClient: [
    ['C', '1', HELLO],
    ['C', '3', 'r1', '0', '1'],
    ['C', '3', 'r1', '"W_LOST"', '', '\x0c'],
    ['C', '6', 'r1', '0', '1', '\x01'],
    ['C', '4'],
    ['\x01\x01C\x014'],
    [TOGETHER.toClient],
  ],
};

const noise = (below) => Buffer.from(Array.from({ length: [0, 1, 2, 9, 40][below(5)] }, () => below(256)));

/**
 * One message in eight is noise, a half of the others is spoilt; never nothing, and never what ends a connection.
 * @param {(below: number) => number} below
 * @param {(string | Buffer)[][]} models
 * @param {number} intact how many frames are left as they are, as they tell the dialect
 */
function nonsense(below, models, intact = 0) {
  for (;;) {
    /** @type {(string | Buffer)[]} */
    let frames = [...models[below(models.length)]];
    if (below(8) === 0)
      frames = [...frames.slice(0, intact), ...Array.from({ length: below(6) }, () => noise(below))];
    else if (below(2) === 0) spoil(below, frames, intact);
    if (frames.length > 0 && !isGoodbye(frames)) return frames;
  }
}

function spoil(below, frames, intact) {
  for (let count = 1 + below(3); count > 0; count -= 1) {
    const at = intact + below(Math.max(frames.length - intact, 1));
    const kind = below(5);
    if (kind === 0) frames.splice(at, 1);
    else if (kind === 1) frames.splice(at, 0, noise(below));
    else if (kind === 2) frames.length = Math.min(frames.length, at);
    else if (kind === 3) frames[Math.min(at, frames.length)] = noise(below);
    else if (frames[at]?.length > 0) {
      const bytes = Buffer.from(frames[at]);
      bytes[below(bytes.length)] ^= 1 << below(8);
      frames[at] = bytes;
    }
  }
}

/** A DISCONNECT makes a worker or client begin anew, which is another test. */
function isGoodbye(frames) {
  const text = frames.map((frame) => Buffer.from(frame).toString('latin1')).join('|');
  const ends = ['C|5', 'W|5', '\x01\x01C\x015', '\x01\x01W\x015'];
  // In a batch the length stands before it.
  return ends.includes(text) || ['\x04\x01C\x015', '\x04\x01W\x015'].some((end) => text.includes(end));
}

module.exports = { MODELS, generator, nonsense };
