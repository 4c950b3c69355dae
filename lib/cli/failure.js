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

/** The end of a command by a signal, or because its output has no reader. Nothing is printed. */
class Interrupted extends Error {
  /** @param {number} exitCode */
  constructor(exitCode) {
    super('the command was interrupted');
    this.exitCode = exitCode;
  }
}

exports.Failure = Failure;
exports.Interrupted = Interrupted;
exports.Usage = Usage;
