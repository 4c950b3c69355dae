'use strict';
// Processes that tell what they have grown to.
const { runChild } = require('./child');

const MIB = 1024 * 1024;

/** Far more than what is bounded takes, and far less than what the streams of these tests would if it were not. */
const GROWTH = 96 * MIB;

/** What a program has grown to; in the text of each. */
const WATCH = `
  const base = process.memoryUsage().rss;
  let most = base;
  setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 5).unref();
  const growth = () => most - base;
`;

/** @param {Function} program whose first lines are WATCH */
function runWatched(t, program, args) {
  const text = program.toString();
  const body = text.indexOf('{', text.indexOf(')')) + 1;
  return runChild(t, { toString: () => text.slice(0, body) + WATCH + text.slice(body) }, args);
}

/* global growth */

const brokerProgram = ({ omdp, say, endpoint, conf }) => {
  const broker = new omdp.Broker(endpoint, conf);
  for (const name of ['clientGone', 'workerGone']) broker.on(name, (event) => say(name, event));
  process.stdin.on('data', () => say('growth', growth()));
  broker.start(() => say('started'));
};

module.exports = { GROWTH, MIB, brokerProgram, runWatched };
