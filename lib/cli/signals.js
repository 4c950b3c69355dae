'use strict';

/**
 * Calls `stop` at the first SIGINT or SIGTERM, and `hurry` at each one after it.
 * @param {(signal: string) => void} stop
 * @param {() => void} [hurry]
 * @returns {() => void} removes the handlers
 */
function onSignals(stop, hurry = () => {}) {
  let stopping = false;
  /** @param {string} signal */
  const listener = (signal) => {
    if (stopping) return hurry();
    stopping = true;
    stop(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, listener);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, listener);
  };
}

/** The exit code of a command that a signal has ended, as shells have it. @param {string} signal */
function codeOf(signal) {
  return signal === 'SIGINT' ? 130 : 143;
}

exports.codeOf = codeOf;
exports.onSignals = onSignals;
