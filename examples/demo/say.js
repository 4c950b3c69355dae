'use strict';
// How the processes of the demo tell their parent what they do.

/** @param {string} text */
function say(text) {
  // One clock for all processes of a machine.
  process.send({ at: Number(process.hrtime.bigint() / 1000n), text });
}

/** What was asked of this process is done. @param {unknown} [value] */
function done(value = true) {
  process.send({ done: value });
}

/** Something is not as it should be. @param {string} text */
function fault(text) {
  process.send({ fault: text });
}

module.exports = { say, done, fault };
