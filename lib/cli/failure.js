'use strict';

/** What the user is told in one line. */
class Failure extends Error {}

/** The same, where the command line, the environment or the config file is wrong. */
class Usage extends Failure {}

exports.Failure = Failure;
exports.Usage = Usage;
