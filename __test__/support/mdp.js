'use strict';
// The frames of the MDP dialects, by the letter of their specifications, for raw sockets to say and to expect.
const { rawDealer } = require('./raw');

const EMPTY = '';
const byte = (n) => String.fromCharCode(n);

/** `delimiter` comes before everything, `commands` are REQUEST, PARTIAL and FINAL on the client's side. */
function dialect(name, { delimiter, tag, commands, namesService, partial, last, heartbeat, disconnect }) {
  const head = delimiter ? [EMPTY] : [];
  const client = (index) => [...head, `MDPC${tag}`, ...(commands ? [byte(commands[index])] : [])];
  const worker = (command, ...rest) => [...head, `MDPW${tag}`, byte(command), ...rest];
  const toClient = (index, service, body) => [...client(index), ...(namesService ? [service] : []), ...body];
  return {
    name,
    hasPartials: partial !== undefined,
    request: (service, ...body) => [...client(0), service, ...body],
    gotPartial: (service, ...body) => toClient(1, service, body),
    gotFinal: (service, ...body) => toClient(2, service, body),
    ready: (service) => worker(1, service),
    work: (address, ...body) => worker(2, address, EMPTY, ...body),
    partial: (address, ...body) => worker(partial, address, EMPTY, ...body),
    final: (address, ...body) => worker(last, address, EMPTY, ...body),
    heartbeat: worker(heartbeat),
    disconnect: worker(disconnect),
  };
}

const MDP = [
  dialect('mdp/0.1', {
    delimiter: true,
    tag: '01',
    namesService: true,
    last: 3,
    heartbeat: 4,
    disconnect: 5,
  }),
  dialect('mdp/0.2', {
    delimiter: false,
    tag: '02',
    commands: [1, 2, 3],
    namesService: true,
    partial: 3,
    last: 4,
    heartbeat: 5,
    disconnect: 6,
  }),
  dialect('mdp/0.2-majortomo', {
    delimiter: true,
    tag: '02',
    commands: [2, 3, 4],
    namesService: false,
    partial: 3,
    last: 4,
    heartbeat: 5,
    disconnect: 6,
  }),
];

/** A peer of MDP: sends frames, and receives them as text, with heartbeats left out. */
class MdpSocket {
  #socket;
  #heartbeat;

  constructor(t, endpoint, { heartbeat }, routingId) {
    this.#socket = rawDealer(t, endpoint, routingId);
    this.#heartbeat = heartbeat.join('|');
  }

  send(frames) {
    return this.#socket.send(frames);
  }

  async receive() {
    for (;;) {
      const frames = (await this.#socket.receive()).map((frame) => frame.toString('latin1'));
      if (frames.join('|') !== this.#heartbeat) return frames;
    }
  }
}

module.exports = { MDP, MdpSocket };
