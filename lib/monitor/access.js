'use strict';
// Who may look: a bearer token, loopback, and no page of another site.

const { createHash, timingSafeEqual } = require('node:crypto');

/** @import { IncomingMessage } from 'node:http' */

/** @param {string | undefined} address */
function isLoopback(address) {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || plain.startsWith('127.');
}

/** The name in a Host header, without its port. @param {string | undefined} host */
function hostName(host = '') {
  const [name] = /^(\[[^\]]*\]|[^:]*)/.exec(host) ?? [''];
  return name.toLowerCase();
}

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest();

/**
 * @param {IncomingMessage} req
 * @param {string | undefined} token
 * @returns {boolean} whether it has the token, or needs none
 */
function hasToken(req, token) {
  if (token === undefined) return true;
  const [, given = ''] = /^Bearer +(.+)$/i.exec(req.headers.authorization ?? '') ?? [];
  // Of equal length, so that the comparison takes the same time whatever is given.
  return timingSafeEqual(digest(given), digest(token));
}

/**
 * Whether the connection comes from this machine, and the name is one of this machine: a page of another site that
 * has its own name point here must not read anything.
 * @param {IncomingMessage} req
 */
function isLocal(req) {
  if (!isLoopback(req.socket.remoteAddress)) return false;
  const name = hostName(req.headers.host);
  return name === 'localhost' || name === '[::1]' || isLoopback(name);
}

/** Whether it is not sent by a page of another site. @param {IncomingMessage} req */
function isSameOrigin(req) {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin, host } = req.headers;
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

exports.hasToken = hasToken;
exports.isLocal = isLocal;
exports.isSameOrigin = isSameOrigin;
