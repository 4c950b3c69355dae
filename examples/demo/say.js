'use strict';
// How the processes of the demo report to their parent.

/** @param {string} text */
function say(text) {
  // The same clock for all processes of a machine.
  process.send({ at: Number(process.hrtime.bigint() / 1000n), text });
}

/** Reports that the step is done. @param {unknown} [value] */
function done(value = true) {
  process.send({ done: value });
}

/** Reports a failure. @param {string} text */
function fault(text) {
  process.send({ fault: text });
}

module.exports = { say, done, fault };
