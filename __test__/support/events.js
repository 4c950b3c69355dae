'use strict';

const ALL = ['start', 'stop', 'connect', 'disconnect', 'error'];

/** Writes down the events of an emitter: names, with their arguments where they have any. */
function record(emitter, names = ALL) {
  const log = [];
  for (const name of names) {
    emitter.on(name, (...args) => log.push(args.length === 0 ? name : [name, ...args]));
  }
  return log;
}

/** The names alone. */
function namesOf(log) {
  return log.map((entry) => (Array.isArray(entry) ? entry[0] : entry));
}

/** A promise to be resolved by hand, and whether it was. */
function deferred() {
  const result = { isSettled: false };
  result.promise = new Promise((resolve) => {
    result.resolve = (value) => {
      result.isSettled = true;
      resolve(value);
    };
  });
  return result;
}

/**
 * Waits until something has become so that announces itself by no event, such as a descriptor that the kernel closes.
 * The deadline is no part of what is tested: it turns a hang into a failure.
 */
async function until(isSo, what = 'it never came about', patience = 60_000) {
  const deadline = Date.now() + patience;
  for (;;) {
    const result = await isSo();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(typeof what === 'function' ? what() : what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

module.exports = { deferred, namesOf, record, until };
