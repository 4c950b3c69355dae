'use strict';

/** An error that the user gets as one line. */
class Failure extends Error {
  /** @param {string} message @param {string} [code] of the request that failed */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** A failure because of the command line, the environment or the config file. */
class Usage extends Failure {}

exports.Failure = Failure;
exports.Usage = Usage;
