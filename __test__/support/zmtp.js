'use strict';
// Bytes of ZMTP for peers that are played on a plain TCP connection.

/** The greeting of ZMTP 3.1, as of a client with this mechanism. */
function greeting(mechanism = 'NULL') {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes[11] = 1;
  bytes.write(mechanism, 12, 'latin1');
  return bytes;
}

module.exports = { greeting };
