'use strict';

const { jsonOf, user: checkUser } = require('./checks');
const { emitError } = require('./errors');

/** @import { Callbacks } from './security' */

/** Maximum size of the metadata that `authenticate` may return, in bytes of JSON. */
const MAX_METADATA = 4096;

const REFUSED = { admit: false, user: '', metadata: '' };

/** Calls the callbacks of a broker's rules. An exception, a rejection or an invalid result is a refusal. */
class Gatekeeper {
  /** @type {Callbacks} */
  callbacks;
  /** @type {(error: unknown) => void} */
  #report;

  /**
   * @param {Callbacks} callbacks
   * @param {(error: unknown) => void} report
   */
  constructor(callbacks, report) {
    this.callbacks = callbacks;
    this.#report = report;
  }

  /** @param {object} peer @param {(verdict: typeof REFUSED) => void} answer */
  authenticate(peer, answer) {
    this.#ask(
      this.callbacks.authenticate,
      peer,
      (said) => answer(verdictOf(said)),
      () => answer(REFUSED),
    );
  }

  /** @param {any} question @param {(allowed: boolean) => void} answer */
  authorize(question, answer) {
    const { metadata, ...rest } = question;
    if (metadata !== '') rest.userMetadata = JSON.parse(metadata);
    this.#ask(
      this.callbacks.authorize,
      rest,
      (said) => answer(said === true),
      () => answer(false),
    );
  }

  /**
   * @param {Function | undefined} callback
   * @param {object} argument
   * @param {(said: unknown) => void} then
   * @param {() => void} otherwise
   */
  #ask(callback, argument, then, otherwise) {
    /** @param {unknown} error */
    const failed = (error) => {
      otherwise();
      this.#report(error);
    };
    // Undefined if the rules have changed since the question; then the answer is not needed.
    if (callback === undefined) return otherwise();
    /** @param {unknown} said */
    const answer = (said) => {
      try {
        then(said);
      } catch (error) {
        failed(error);
      }
    };
    try {
      const said = callback(argument);
      if (typeof said?.then === 'function') said.then(answer, failed);
      else answer(said);
    } catch (error) {
      failed(error);
    }
  }
}

/** @param {any} said @returns {typeof REFUSED} */
function verdictOf(said) {
  if (said === true) return { admit: true, user: '', metadata: '' };
  if (typeof said !== 'object' || said === null) return REFUSED;
  const user = checkUser(said.userId, 'userId: a user');
  const metadata = said.metadata === undefined ? '' : jsonOf(said.metadata, MAX_METADATA, 'metadata');
  return { admit: true, user, metadata };
}

/**
 * A callback that throws refuses the peer; the error is emitted if there is a listener.
 * @param {import('node:events').EventEmitter} emitter
 */
function reporter(emitter) {
  return (/** @type {unknown} */ error) => {
    emitError(emitter, error);
  };
}

exports.Gatekeeper = Gatekeeper;
exports.reporter = reporter;
