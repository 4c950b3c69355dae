'use strict';
// zeromq.js alone: its Proxy between two Dealers, each used as its README shows. There are no ids, JSON or
// heartbeats: with one worker, replies arrive in the order of the requests.
const { address } = require('../harness/address.js');

/** No limits, as in the other systems: dropped messages would not be measured. */
const UNLIMITED = { sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 0 };

const front = ({ ports, transport }) => address(transport, ports[0]);
const back = ({ ports, transport }) => address(transport, ports[1]);

function fail(error) {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}

/** Calls `take` for each received message, one after the other. */
async function receive(socket, take) {
  for await (const frames of socket) await take(frames);
}

module.exports = {
  name: 'zeromq',
  title: 'zeromq.js',
  can: ['text', 'paced', 'parts', 'bytes', 'loop'],
  ipc: true,

  async prepare() {
    return { version: require('zeromq/package.json').version, conf: {} };
  },

  async broker(conf) {
    const zeromq = require('zeromq');
    const router = new zeromq.Router(UNLIMITED);
    const dealer = new zeromq.Dealer(UNLIMITED);
    await router.bind(front(conf));
    await dealer.bind(back(conf));
    new zeromq.Proxy(router, dealer).run().catch(fail);
  },

  async worker(conf, tally) {
    const { Dealer } = require('zeromq');
    const socket = new Dealer(UNLIMITED);
    const handle = {
      // It decodes the value, as the handlers of other systems do.
      echo: (client, data) => socket.send([client, data.toString()]),
      bytes: (client, data) => socket.send([client, data]),
      async parts(client, data) {
        const parts = Number(data.toString());
        for (let part = 0; part < parts; part += 1) await socket.send([client, String(part)]);
        await socket.send([client, 'done']);
      },
    }[conf.binary ? 'bytes' : conf.kind];
    receive(socket, ([client, data]) => {
      tally.handled += 1;
      return handle(client, data);
    }).catch(fail);
    socket.connect(back(conf));
  },

  async client(conf) {
    const { Dealer } = require('zeromq');
    const socket = new Dealer(UNLIMITED);
    const send = sender(socket);
    const takers = new Takers();
    receive(socket, ([data]) => {
      takers.take(data);
    }).catch(fail);
    socket.connect(front(conf));
    return {
      request(data, done) {
        takers.add(
          typeof data === 'string' ? (reply) => done(null, reply.toString()) : (reply) => done(null, reply),
        );
        send(data);
      },
      bytes: (reply) => reply,
      stream(parts, onPart, done) {
        takers.add((reply) => {
          const part = reply.toString();
          if (part === 'done') return done(null);
          onPart(Number(part));
          return true;
        });
        send(String(parts));
      },
    };
  },
};

/** zeromq.js sends one message at a time: further messages wait here. */
function sender(socket) {
  let waiting = [];
  let sending = false;
  const pump = async () => {
    sending = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      for (const frames of batch) await socket.send(frames);
    }
    sending = false;
  };
  return (frames) => {
    waiting.push(frames);
    if (!sending) pump().catch(fail);
  };
}

/** The receivers of replies, in order. A receiver that returns true waits for more. */
class Takers {
  #waiting = [];
  #first = 0;

  add(taker) {
    this.#waiting.push(taker);
  }

  take(data) {
    const taker = this.#waiting[this.#first];
    if (taker === undefined) throw new Error('a reply too many');
    if (taker(data) === true) return;
    this.#first += 1;
    if (this.#first < 1024 || this.#first * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}
