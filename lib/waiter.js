'use strict';

const { throwLater } = require('./errors');
const { Scope } = require('./scope');

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
    if (callback !== undefined) {
      const scope = new Scope('zmq-omdp.callback');
      this.#done = (error) => {
        // A callback of 0.0.92 is called without arguments when all went well.
        if (error === undefined) scope.runInAsyncScope(callback);
        else scope.runInAsyncScope(callback, undefined, error);
      };
      return;
    }
    this.#done = () => {};
    this.promise = new Promise((resolve, reject) => {
      this.#done = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  /** @param {Error | undefined} error */
  tell(error) {
    attempt(() => this.#done(error));
  }
}

exports.Waiter = Waiter;
exports.attempt = attempt;
