'use strict';
// Plain ZeroMQ sockets: to say anything at all to a peer of ours, and to play the peers of 0.0.92 (in old.js).
// Their ZeroMQ is another library than the addon's, so they meet over tcp and ipc, not inproc.
const { isUtf8 } = require('node:buffer');
const { Dealer, Router } = require('zeromq');

/** Over which transports raw sockets can meet ours. */
const RAW_TRANSPORTS = ['tcp', 'ipc'];

/** Only turns a message that never comes into a test that fails. */
const PATIENCE = 60_000;

const OPTIONS = {
  linger: 0,
  receiveTimeout: PATIENCE,
  sendTimeout: PATIENCE,
  // Without limits: at one a ROUTER would refuse to send.
  sendHighWaterMark: 0,
  receiveHighWaterMark: 0,
};

/** A DEALER that is connected. */
function rawDealer(t, endpoint, routingId) {
  const socket = new Dealer({ ...OPTIONS, ...(routingId === undefined ? {} : { routingId }) });
  t.after(() => socket.close());
  socket.connect(endpoint);
  return socket;
}

/** The name in a peer's hello, if this is one. @param {Buffer[]} frames @returns {string | undefined} */
function nameIn(frames) {
  const hello = frames.find((frame) => frame.toString().startsWith('{"') && frame.includes('"omdp"'));
  return hello && JSON.parse(hello.toString()).name;
}

/**
 * A ROUTER that takes the names of peers for their routing ids, which differ from connection to connection. It checks
 * that these are texts: a broker of 0.0.92 takes them for UTF-8, and can't answer others.
 */
class NamingRouter extends Router {
  #names = new Map();
  #ids = new Map();

  async receive() {
    const [from, ...frames] = await super.receive();
    const id = from.toString('hex');
    const name = nameIn(frames);
    if (name !== undefined) {
      if (!isUtf8(from) || !from.toString().startsWith(name)) throw new Error(`routing id ${id}`);
      this.#names.set(id, name);
      this.#ids.set(name, from);
    }
    return [Buffer.from(this.#names.get(id) ?? from), ...frames];
  }

  send([to, ...frames]) {
    return super.send([this.#ids.get(to.toString()) ?? to, ...frames]);
  }
}

/** A ROUTER that is bound. `Kind` is `Router` where a test needs the routing ids. */
async function rawRouter(t, endpoint, options = {}, Kind = NamingRouter) {
  const socket = new Kind({ ...OPTIONS, mandatory: true, handover: true, ...options });
  t.after(() => socket.close());
  await socket.bind(endpoint);
  return socket;
}

const toText = (frames) => frames.map((frame) => frame.toString());

module.exports = { RAW_TRANSPORTS, Router, rawDealer, rawRouter, toText };
