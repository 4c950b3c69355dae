'use strict';
// Access control of the monitor: a bearer token, loopback addresses, and no pages of other sites.

const { createHash, timingSafeEqual } = require('node:crypto');
const { BlockList, isIP } = require('node:net');

/** @import { IncomingMessage } from 'node:http' */

/** The addresses of this machine in every form, such as ::ffff:127.0.0.1. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** @param {string | undefined} address */
function isLoopback(address = '') {
  const version = isIP(address);
  // A name such as 127.example.org may belong to another machine.
  return version !== 0 && LOOPBACK.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** @param {string} host a name or an address */
function isThisMachine(host) {
  return host.toLowerCase() === 'localhost' || isLoopback(host);
}

/** The name or address in a Host header, without the port. @param {string | undefined} host */
function hostName(host = '') {
  const [, address, name = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
  return address ?? name;
}

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest();

/**
 * @param {IncomingMessage} req
 * @param {string | undefined} token
 * @returns {boolean} whether the request has the token, or needs none
 */
function hasToken(req, token) {
  if (token === undefined) return true;
  const [, given = ''] = /^Bearer +(.+)$/i.exec(req.headers.authorization ?? '') ?? [];
  // Digests have equal lengths, so the duration of the comparison does not depend on the input.
  return timingSafeEqual(digest(given), digest(token));
}

/**
 * The addresses for which proxies have made the request, as far as they tell.
 * @param {IncomingMessage['headers']} headers
 * @returns {string[]}
 */
function originsOf({ forwarded = '', ...headers }) {
  const lists = [headers['x-forwarded-for'], headers['x-real-ip']].flatMap((value) => value ?? []);
  const plain = lists.flatMap((list) => list.split(',')).map((each) => each.trim());
  const named = [...forwarded.matchAll(/(?:^|[;,\s])for=("[^"]*"|[^;,\s]*)/gi)].map(([, value]) =>
    value.replace(/^"?\[?|\]?(?::\d+)?"?$/g, ''),
  );
  return [...plain.filter((each) => each !== ''), ...named];
}

/**
 * Whether the connection comes from this machine, also by what a proxy says, and uses a name of this machine: a page of
 * another site, whose own name points here, must not read anything.
 * @param {IncomingMessage} req
 */
function isLocal(req) {
  if (!isLoopback(req.socket.remoteAddress)) return false;
  if (!originsOf(req.headers).every(isLoopback)) return false;
  return isThisMachine(hostName(req.headers.host));
}

/** Whether the request does not come from a page of another site. @param {IncomingMessage} req */
function isSameOrigin(req) {
  const site = req.headers['sec-fetch-site'];
  // A proxy may have changed the host, so that the browser alone knows.
  if (site !== undefined) return site === 'same-origin' || site === 'none';
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
exports.isThisMachine = isThisMachine;
