'use strict';

const { throwLater } = require('./errors');
const { Scope } = require('./scope');

/**
 * Runs code of the user whose exception must not interrupt the remaining work.
 * @param {() => void} action
 */
function attempt(action) {
  try {
    action();
  } catch (error) {
    throwLater(error);
  }
}

/** The receiver of the result of a start or stop: a callback or a promise. */
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
        // A callback of 0.0.92 is called without arguments after success.
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
