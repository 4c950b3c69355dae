'use strict';

const { throwLater } = require('./errors');

/**
 * Runs something of the user's whose exception must not keep us from what is left to do.
 * @param {() => void} action
 */
function attempt(action) {
  try {
    action();
  } catch (error) {
    throwLater(error);
  }
}

/** Who waits for the end of a start or stop: a callback or a promise. */
class Waiter {
  /** @type {Promise<void> | undefined} */
  promise;
  /** @type {(error?: Error) => void} */
  #done;

  /** @param {((error?: Error) => void) | undefined} callback */
  constructor(callback) {
    this.#done = callback ?? (() => {});
    if (callback !== undefined) return;
    this.promise = new Promise((resolve, reject) => {
      this.#done = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  /** @param {Error | undefined} error */
  tell(error) {
    // A callback of 0.0.92 is called without arguments when all went well.
    if (error === undefined) attempt(() => this.#done());
    else attempt(() => this.#done(error));
  }
}

exports.Waiter = Waiter;
exports.attempt = attempt;
