'use strict';
// Options for many peers that are idle: they cause no load of their own.

/** No heartbeats and no losses within a run. */
const QUIET = { heartbeat: 600_000 };

/** All peers of a run come from one address, which may have fewer connections by default. */
const MANY = { maxConnections: -1, maxConnectionsPerAddress: -1 };

/** The options of a broker. */
const QUIET_BROKER = { ...QUIET, ...MANY };

module.exports = { MANY, QUIET, QUIET_BROKER };
