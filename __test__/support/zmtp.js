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

const LONG = 2;

/** The head of a long frame. @param {number} flags 1: more follow, 4: a command @param {number} size */
function head(flags, size) {
  const bytes = Buffer.alloc(9);
  bytes[0] = flags | LONG;
  bytes.writeBigUInt64BE(BigInt(size), 1);
  return bytes;
}

/** @param {number} flags as of `head` @param {Buffer | string} body */
function frame(flags, body) {
  const bytes = Buffer.from(body);
  const isShort = bytes.length < 256;
  return Buffer.concat([isShort ? Buffer.from([flags, bytes.length]) : head(flags, bytes.length), bytes]);
}

/**
 * The handshake of PLAIN, or its beginning with a wrong password.
 * @param {import('node:net').Socket} socket @param {string} name @param {string} password
 * @returns {Promise<void>} until it is done
 */
function sayPlain(socket, name, password) {
  const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const hello = Buffer.concat([text('HELLO'), text(name), text(password)]);
  const initiate = Buffer.from('\x08INITIATE\x0bSocket-Type\0\0\0\x06DEALER', 'latin1');
  socket.write(Buffer.concat([greeting('PLAIN'), frame(4, hello)]));
  return new Promise((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (bytes) => {
      if (bytes.includes('WELCOME')) socket.write(frame(4, initiate));
      if (bytes.includes('READY')) resolve();
    });
  });
}

module.exports = { LONG, frame, greeting, head, sayPlain };
