'use strict';
// What a hostile peer may do, each as a function of how to connect. The peers are plain ZeroMQ sockets: nothing of this
// package keeps them from saying what they like.
const { batch, packed, part } = require('../support/packed');
const { greeting } = require('../support/zmtp');
const { NUMBERS } = require('./numbers');
const { SECURED } = require('./secured');
const { SLOW } = require('./slow');
const { HELLO, EXT, PAST, KIB, MIB, dial, shake, push, inChannel, ready } = require('./tools');

/**
 * `broker`: options of the broker. `users`: it has users, over CURVE or `plain`, and the attacker is one of them, who
 * may call and serve nothing. `asks`: it has an `authorize` callback, which takes its time. `descriptors`: how many its
 * process may have. `over`: the transport, tcp by default.
 * @type {Record<string, { about: string, broker?: object, users?: boolean | 'plain', over?: 'ipc', asks?: boolean, descriptors?: number,
 *   run(connect: Connect, scale: number, endpoint: string): Promise<void> }>}
 */
const SCENARIOS = {
  'requests to nobody': {
    about: 'plain requests to services that nobody serves',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 100_000 * scale; n += 1)
        await socket.send(['C', '2', `s${n % 1000}`, `r${n}`, '1', '{}']);
    },
  },
  'large requests': {
    about: 'requests of 1 MiB to nobody',
    async run(connect, scale) {
      const socket = connect();
      const body = Buffer.alloc(MIB, '1');
      for (let n = 0; n < 500 * scale; n += 1)
        await socket.send(['C', '2', 'nobody', `r${n}`, body, '{"timeout":-1}']);
    },
  },
  resumes: {
    about: 'RESUME of requests of 1 MiB that never were',
    async run(connect, scale) {
      const socket = connect('resumer');
      await socket.send(['C', '1', HELLO]);
      const body = Buffer.alloc(MIB, '1');
      for (let n = 0; n < 500 * scale; n += 1)
        await socket.send(['C', '11', 'nobody', `r${n}`, body, '{}', EXT, PAST]);
    },
  },
  'long ids': {
    about: 'request ids and service names of 65 kB, in requests and READYs',
    async run(connect, scale) {
      const socket = connect();
      const long = 'x'.repeat(65_000);
      for (let n = 0; n < 5000 * scale; n += 1) {
        await socket.send(['C', '2', 'nobody', `${n}${long}`, '1', '{}']);
        await socket.send(['W', '1', `${n}${long}`]);
      }
    },
  },
  claims: {
    about: 'CLAIMs of requests that nobody asked for, with long ids',
    async run(connect, scale) {
      const socket = connect('claimer');
      await socket.send(['W', '1', 'claims', HELLO]);
      const long = 'x'.repeat(60_000);
      for (let n = 0; n < 20_000 * scale; n += 1) {
        const number = Buffer.alloc(9, 1);
        number.writeUInt32BE(n);
        await socket.send(['W', '11', 'somebody', n % 2 === 0 ? `r${n}` : `${n}${long}`, number]);
      }
    },
  },
  hellos: {
    about: 'hellos with sessions of 2 MB, of clients that go at once',
    async run(connect, scale) {
      const session = 's'.repeat(2 * MIB);
      const hello = JSON.stringify({ omdp: 1, heartbeat: 2500, liveness: 3, session });
      for (let n = 0; n < 30 * scale; n += 1) {
        const socket = connect();
        await socket.send(['C', '1', hello]);
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.close();
      }
    },
  },
  'mmi in batches': {
    about: 'requests that wait under 5000 names, then frames with 1500 requests to mmi.services each',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 5000; n += 1)
        await socket.send(['C', '2', `${'n'.repeat(200)}${n}`, `r${n}`, '1', '{}']);
      const asks = Array.from({ length: 1500 }, (_, n) =>
        part('C', '2', 'mmi.services', `m${n}`, `${n % 7}`, '{}'),
      );
      const frame = batch(...asks);
      const asker = connect();
      for (let n = 0; n < 20 * scale; n += 1) await asker.send([frame]);
    },
  },
  'mmi one by one': {
    about: 'plain requests to mmi.*, whose answers are not read',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 300; n += 1) await connect(`w${n}`).send(['W', '1', `${'n'.repeat(200)}${n}`]);
      const names = ['mmi.services', 'mmi.workers', 'mmi.stats'];
      for (let n = 0; n < 10_000 * scale; n += 1)
        await socket.send(['C', '2', names[n % 3], `m${n}`, '0', '{}']);
    },
  },
  nonsense: {
    about: 'batches of 30,000 messages that are none',
    async run(connect, scale) {
      const socket = connect();
      const frame = batch(Buffer.alloc(60_000));
      for (let n = 0; n < 20 * scale; n += 1) await socket.send([frame]);
    },
  },
  'batches of many': {
    about: 'batches of 1500 requests each, over 200 connections at once',
    async run(connect, scale) {
      const asks = Array.from({ length: 1500 }, (_, n) =>
        part('C', '2', 'mmi.service', `r${n}`, 'null', '{}'),
      );
      const frame = batch(...asks);
      const sockets = Array.from({ length: 200 }, () => connect());
      for (const socket of sockets) await socket.send(['C', '1', HELLO]);
      for (let n = 0; n < 20 * scale; n += 1) {
        await Promise.all(sockets.map((socket) => socket.send([frame])));
      }
    },
  },
  'large json to mdp': {
    about: 'JSON of many small elements for a worker of MDP',
    async run(connect, scale) {
      const worker = connect('mdp');
      await worker.send(['', 'MDPW02', '\u0001', 'bridge']);
      const client = connect();
      const body = `[${'1,'.repeat(MIB)}1]`;
      for (let n = 0; n < 4 * scale; n += 1) await client.send(['C', '2', 'bridge', `r${n}`, body, '{}']);
      await new Promise((resolve) => setTimeout(resolve, 500));
    },
  },
  'silent connections': {
    about: 'connections that say nothing, before their handshake and after it',
    broker: { maxConnectionsPerAddress: 200, handshakeInterval: 1000, silenceInterval: 1000 },
    async run(_connect, scale, endpoint) {
      for (let n = 0; n < 2000 * scale; n += 1) await (n % 2 === 0 ? dial(endpoint) : shake(endpoint));
      await new Promise((resolve) => setTimeout(resolve, 2000));
    },
  },
  'a message without an end': {
    about: 'frames of 1 MiB, after each of which one more is announced',
    broker: { maxMessageSize: 8 * MIB },
    async run(_connect, scale, endpoint) {
      const socket = await shake(endpoint);
      const head = Buffer.alloc(9);
      head[0] = 3;
      head.writeBigUInt64BE(BigInt(MIB), 1);
      const frame = Buffer.concat([head, Buffer.alloc(MIB)]);
      for (let n = 0; n < 2000 * scale && (await push(socket, frame)); n += 1);
    },
  },
  'messages that do not become complete': {
    about: '50 MiB of a message of 60 MiB, over 40 connections',
    async run(_connect, scale, endpoint) {
      const head = Buffer.alloc(9);
      head[0] = 2;
      head.writeBigUInt64BE(BigInt(60 * MIB), 1);
      const piece = Buffer.alloc(MIB);
      for (let n = 0; n < 40 * scale; n += 1) {
        const socket = await shake(endpoint);
        socket.write(Buffer.concat([Buffer.from([1, 1]), Buffer.from('C'), head]));
        for (let sent = 0; sent < 50 && (await push(socket, piece)); sent += 1);
      }
    },
  },
  'a frame faster than its turns': {
    about: 'frames of 60,000 empty messages, over 10 connections that are not read meanwhile',
    async run(_connect, scale, endpoint) {
      const frame = batch(Buffer.alloc(60_000));
      const head = Buffer.alloc(9);
      head[0] = 2;
      head.writeBigUInt64BE(BigInt(frame.length), 1);
      const message = Buffer.concat([head, frame]);
      const flood = async (socket) => {
        for (let n = 0; n < 100 * scale && (await push(socket, message)); n += 1);
      };
      const sockets = Array.from({ length: 10 }, () => shake(endpoint));
      await Promise.all(sockets.map(async (socket) => flood(await socket)));
    },
  },
  'a user without rights': {
    about: 'requests and READYs of a user who may call and serve nothing, over CURVE',
    users: true,
    async run(connect, scale) {
      const socket = connect();
      const body = 'x'.repeat(10 * KIB);
      for (let n = 0; n < 20_000 * scale; n += 1) {
        await socket.send(['C', '2', `s${n}`, `r${n}`, JSON.stringify(body), '{}']);
        await socket.send(['W', '1', `s${n}`]);
      }
    },
  },
  'questions to authorize': {
    about: 'large requests to ever new services, each of which the callback authorize is asked about',
    users: true,
    asks: true,
    async run(connect, scale) {
      const socket = connect();
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 5000 * scale; n += 1) await socket.send(['C', '2', `s${n}`, `r${n}`, body, '{}']);
    },
  },
  'a worker beyond its window': {
    about: 'parts without end for a client that reads nothing, of a worker that promised to keep to windows',
    async run(connect, scale) {
      const [worker, client] = [connect('liar'), connect('reader')];
      // Not packed, so that what comes can be read here.
      const { packed, ...hello } = JSON.parse(HELLO);
      await worker.send(['W', '1', 'lies', JSON.stringify({ ...hello, concurrency: 1 })]);
      await client.send(['C', '1', JSON.stringify(hello)]);
      await client.send(['C', '2', 'lies', 'a1', '1', '{}', EXT]);
      let request = await worker.receive();
      while (String(request[1]) !== '2') request = await worker.receive();
      const [, , from, rid, , , ext] = request;
      // The flags of a part, and the token of its request.
      const part = Buffer.concat([Buffer.from([1]), ext.subarray(1, 9)]);
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 5000 * scale; n += 1) await worker.send(['W', '6', from, rid, '0', body, part]);
    },
  },
  'an announced frame': {
    about: 'connections that announce a frame of 6 GiB before their handshake, and send it',
    async run(_connect, scale, endpoint) {
      const head = Buffer.alloc(9);
      head[0] = 2;
      head.writeBigUInt64BE(BigInt(6 * 1024 * MIB), 1);
      const piece = Buffer.alloc(MIB);
      for (let n = 0; n < 100 * scale; n += 1) {
        const socket = await dial(endpoint);
        socket.write(Buffer.concat([greeting(), head]));
        for (let sent = 0; sent < 64 && (await push(socket, piece)); sent += 1);
      }
    },
  },
  'failed handshakes': {
    about: 'connections with a mechanism that the broker does not have',
    users: true,
    async run(_connect, scale, endpoint) {
      for (let n = 0; n < 5000 * scale; n += 1) {
        const socket = await dial(endpoint);
        socket.write(greeting('NULL'));
        await new Promise((resolve) => setTimeout(resolve, 1));
        socket.destroy();
      }
    },
  },
  'few descriptors': {
    about: '500 silent connections at a broker that may have 100 descriptors',
    descriptors: 100,
    broker: { handshakeInterval: 1000, silenceInterval: 1000 },
    async run(_connect, scale, endpoint) {
      for (let n = 0; n < 2500 * scale; n += 1) await (n % 2 === 0 ? dial(endpoint) : shake(endpoint));
      await new Promise((resolve) => setTimeout(resolve, 2000));
    },
  },
  'mmi of a user without rights': {
    about: 'requests to unknown services, then frames with 1500 requests to mmi.services each',
    users: true,
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 10_000; n += 1) await socket.send(['C', '2', `s${n}`, `r${n}`, '1', '{}']);
      const asks = Array.from({ length: 1500 }, (_, n) => part('C', '2', 'mmi.services', `m${n}`, '0', '{}'));
      for (let n = 0; n < 20 * scale; n += 1) await socket.send([batch(...asks)]);
    },
  },
  'metrics of many services': {
    about:
      'requests that wait under 20,000 names, while mmi.metrics, mmi.stats, mmi.directory and $dir are asked for',
    async run(connect, scale) {
      const socket = connect();
      const long = 'n'.repeat(240);
      for (let n = 0; n < 20_000; n += 1) await socket.send(['C', '2', `${long}${n}`, `r${n}`, '1', '{}']);
      const asker = connect();
      const names = ['mmi.metrics', 'mmi.stats', 'mmi.directory', '$dir', 'mmi.clients', 'mmi.events'];
      for (let n = 0; n < 5000 * scale; n += 1) {
        await asker.send(['C', '2', names[n % names.length], `m${n}`, '0', '{}']);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
  },
  'an old worker and a slow reader': {
    about: 'parts without end of a worker of 0.0.92, which knows no windows, for a client that reads nothing',
    async run(connect, scale) {
      const [worker, client] = [connect('old'), connect('reader')];
      await worker.send(['W', '1', 'old']);
      await client.send(['C', '2', 'old', 'a1', '1', '{"timeout":-1}']);
      let request = await worker.receive();
      while (String(request[1]) !== '2') request = await worker.receive();
      const [, , from, rid] = request;
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 5000 * scale; n += 1) await worker.send(['W', '6', from, rid, '0', body]);
    },
  },
  'a stranger by the name of the worker': {
    about: 'a READY under the name of the honest worker, which $dir tells, and away',
    async run(connect, scale) {
      const asker = connect();
      await asker.send(['C', '2', '$dir', 'd', 'null', '{}']);
      const { honest } = JSON.parse(String((await asker.receive())[4]));
      for (let n = 0; n < 20 * scale; n += 1) {
        const thief = connect(honest[0]);
        await thief.send(['W', '1', 'honest', HELLO.replace('"a"', `"thief${n}.1"`)]);
        await new Promise((resolve) => setTimeout(resolve, 100));
        await thief.send(['W', '5']);
        thief.close();
        await new Promise((resolve) => setTimeout(resolve, 400));
      }
    },
  },
  'patterns and ranges': {
    about:
      'workers of patterns and versions, requests for ranges of them, and a worker of * that comes and goes',
    async run(connect, scale) {
      const hello = (n) => JSON.stringify({ ...JSON.parse(HELLO), session: `p${n}.1`, pattern: n % 2 === 0 });
      for (let n = 0; n < 300; n += 1)
        await connect(`v${n}`).send(['W', '1', n % 2 === 0 ? `p${n}*` : `lib@1.${n}.0`, hello(n)]);
      const client = connect();
      for (let n = 0; n < 20_000 * scale; n += 1) {
        const range = `lib@>=1.${n % 400}.0 <2 || ^${n % 7}.1 || ~1.${n}`;
        await client.send(['C', '2', n % 3 === 0 ? `q${n}` : range, `r${n}`, '1', '{}']);
      }
      for (let n = 0; n < 20 * scale; n += 1) {
        const all = connect(`all${n}`);
        await all.send(['W', '1', 'q*', hello(2 * n)]);
        await all.send(['W', '5']);
      }
    },
  },
  'keys beside a worker that comes and goes': {
    about: 'requests with ever other keys for 40 workers, while one more registers and leaves',
    async run(connect, scale) {
      for (let n = 0; n < 40; n += 1) await connect(`key${n}`).send(['W', '1', 'keys', HELLO]);
      const client = connect();
      for (let n = 0; n < 40_000 * scale; n += 1)
        await client.send(['C', '2', 'keys', `r${n}`, '1', `{"key":"k${n}"}`]);
      const worker = connect('flap');
      for (let n = 0; n < 1000 * scale; n += 1) {
        await worker.send(['W', '1', 'keys', HELLO.replace('"a"', `"flap${n}.1"`)]);
        await worker.send(['W', '5']);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  },
  'connections that end at once': {
    about: '300 connections with 200 waiting requests each, which end together',
    async run(connect, scale) {
      const asks = Array.from({ length: 200 }, (_, n) => part('C', '2', 'nobody', `r${n}`, '1', '{}'));
      for (let round = 0; round < 10 * scale; round += 1) {
        const sockets = Array.from({ length: 300 }, () => connect());
        for (const socket of sockets) {
          await socket.send(['C', '1', HELLO]);
          await socket.send([batch(...asks)]);
        }
        await new Promise((resolve) => setTimeout(resolve, 300));
        for (const socket of sockets) socket.close();
      }
    },
  },
  'workers that are named': {
    about: 'requests with 1000 workers named in turn, in frames of many, beside one worker that is idle',
    async run(connect, scale) {
      const [one, other] = [connect(), connect()];
      for (let n = 1; n <= 500; n += 1)
        for (const [at, socket] of [one, other].entries())
          await socket.send(ready(n, 'named', { name: `named${at}-${n}`, session: `named${at}-${n}.1` }));
      await connect('idle').send(['W', '1', 'named', HELLO]);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const opts = (n) => `{"worker":"named${n % 2}-${1 + ((n % 1000) >> 1)}","timeout":-1}`;
      const asks = (from) =>
        Array.from({ length: 1000 }, (_, n) => part('C', '2', 'named', `r${from + n}`, '1', opts(from + n)));
      // 10,000 of each client, which then end with it.
      for (let round = 0; round < 5 * scale; round += 1) {
        const client = connect();
        await client.send(['C', '1', HELLO]);
        for (let from = 0; from < 10_000; from += 1000) await client.send([batch(...asks(from))]);
        await new Promise((resolve) => setTimeout(resolve, 300));
        client.close();
      }
    },
  },
  'connections with much that end at once': {
    about: '400 connections with 700 waiting requests each, which end together',
    // So much that there is room for all of them.
    broker: { maxHeld: 256 * MIB, maxHeldPerAddress: 224 * MIB },
    async run(connect, scale) {
      const frames = Array.from({ length: 4 }, (_, at) =>
        batch(...Array.from({ length: 700 }, (_, n) => part('C', '2', `nobody${at}`, `r${n}`, '1', '{}'))),
      );
      for (let round = 0; round < 5 * scale; round += 1) {
        const sockets = Array.from({ length: 400 }, () => connect());
        for (const [at, socket] of sockets.entries()) {
          await socket.send(['C', '1', HELLO]);
          await socket.send([frames[at % 4]]);
        }
        await new Promise((resolve) => setTimeout(resolve, 300));
        for (const socket of sockets) socket.close();
        // The next ones come when these have ended, so that there is room for them.
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    },
  },
  'requests to all workers': {
    about: 'requests to 200 workers each, none of which answers',
    async run(connect, scale) {
      for (let n = 0; n < 200; n += 1) await connect(`a${n}`).send(['W', '1', 'all', HELLO]);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const client = connect();
      for (let n = 0; n < 2000 * scale; n += 1)
        await client.send(['C', '2', 'mmi.all:all', `r${n}`, '1', '{}', EXT]);
    },
  },
  'priorities and keys': {
    about: 'requests with ever other priorities, keys and workers, in options of 60 kB',
    async run(connect, scale) {
      const pad = 'x'.repeat(60_000);
      for (let n = 0; n < 50; n += 1) await connect(`k${n}`).send(['W', '1', 'keyed', HELLO]);
      const client = connect();
      for (let n = 0; n < 20_000 * scale; n += 1) {
        const opts = { priority: n % 256, key: `${n}`, worker: n % 5 === 0 ? `k${n % 60}` : undefined };
        const headers = n % 20 === 0 ? { pad } : undefined;
        await client.send(['C', '2', 'keyed', `r${n}`, '1', JSON.stringify({ ...opts, headers })]);
      }
    },
  },
  'streams that never end': {
    about:
      'requests whose data are streams, chunks of them beyond what was asked for, to a worker that reads nothing',
    async run(connect, scale) {
      const [worker, client] = [connect('deaf'), connect('streamer')];
      const { packed, ...hello } = JSON.parse(HELLO);
      await worker.send(['W', '1', 'deaf', JSON.stringify({ ...hello, concurrency: -1, streams: true })]);
      await client.send(['C', '1', JSON.stringify({ ...hello, session: 'b', streams: true })]);
      // The flag of a stream.
      const ext = Buffer.from([0x20, ...EXT.subarray(1)]);
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 100 * scale; n += 1)
        await client.send(['C', '2', 'deaf', `s${n}`, 'null', '{}', ext]);
      const at = Buffer.alloc(9);
      for (let n = 0; n < 5000 * scale; n += 1) {
        at.writeUInt32BE(Math.floor(n / 100), 5);
        await client.send(['C', '18', `s${n % 100}`, body, at]);
      }
    },
  },
  'coming and going': {
    about:
      'READYs and goodbyes, hellos and goodbyes, and a worker that changes how much it takes with each message',
    async run(connect, scale) {
      const socket = connect('flapper');
      for (let n = 0; n < 10_000 * scale; n += 1) {
        await socket.send(['W', '1', `f${n % 50}`, HELLO.replace('"a"', `"f${n}.1"`)]);
        const again = { ...JSON.parse(HELLO), session: `f${n}.1`, concurrency: n % 2 };
        await socket.send(['W', '1', `f${n % 50}`, JSON.stringify(again)]);
        await socket.send(['W', '5']);
        await socket.send(['C', '1', HELLO.replace('"a"', `"g${n}.1"`)]);
        await socket.send(['C', '5']);
      }
    },
  },
  'ids used twice': {
    about: 'requests whose id is in use, cancels and credits of requests that never were, in frames of many',
    async run(connect, scale) {
      const socket = connect();
      await socket.send(['C', '1', HELLO]);
      const twice = Array.from({ length: 500 }, (_, n) => [
        part('C', '2', 'nobody', `r${n % 3}`, '1', '{}'),
        part('C', '8', `x${n}`),
        part('C', '9', `x${n}`, '1000000'),
      ]).flat();
      for (let n = 0; n < 500 * scale; n += 1) await socket.send([batch(...twice)]);
    },
  },
  'lists of requests that are none': {
    about: 'RETURNs and GOs with as many tokens and ids as a frame may have',
    async run(connect, scale) {
      const [worker, client] = [connect('returner'), connect('goer')];
      await worker.send(['W', '1', 'lists', HELLO]);
      await client.send(['C', '1', HELLO]);
      const tokens = Buffer.alloc(32_768, 1);
      const rids = Buffer.alloc(32_766, Buffer.from([0, 1, 65]));
      for (let n = 0; n < 5000 * scale; n += 1) {
        await worker.send(['W', '9', tokens]);
        await client.send(['C', '12', rids]);
      }
    },
  },
  'an id over its limit': {
    about: 'more requests than may be kept, of a client that cannot be disconnected',
    async run(connect, scale) {
      const socket = connect();
      const opts = '{"timeout":-1}';
      for (let n = 0; n < 400_000 * scale; n += 1)
        await socket.send(['C', '2', 'nobody', `r${n}`, '1', opts]);
    },
  },
  'workers of a new name each': {
    about: 'a worker that registers and leaves, while clients are told of each',
    async run(connect, scale) {
      const socket = connect('new');
      for (let n = 0; n < 2000 * scale; n += 1) {
        await socket.send(['W', '1', `n${n}`, HELLO.replace('"a"', `"n${n}.1"`)]);
        await socket.send(['W', '5']);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  },
  'a worker that takes all and dies': {
    about:
      'requests that wait by the ten thousands, to a worker that takes any number and goes, again and again',
    async run(connect, scale) {
      const client = connect();
      for (let n = 0; n < 100_000 * scale; n += 1)
        await client.send(['C', '2', 'greedy', `r${n}`, '1', '{"timeout":-1}']);
      for (let n = 0; n < 20 * scale + 1; n += 1) {
        const worker = connect(`greedy${n}`);
        const hello = { ...JSON.parse(HELLO), session: '', concurrency: -1 };
        await worker.send(['W', '1', 'greedy', JSON.stringify(hello)]);
        await new Promise((resolve) => setTimeout(resolve, 300));
        worker.close();
      }
    },
  },
  'very many channels': {
    about:
      'connections that open every channel there is, under large names, with large sessions and metadata',
    async run(connect, scale) {
      const long = 'n'.repeat(200);
      for (let at = 0; at < 20 * scale; at += 1) {
        const socket = connect();
        for (let n = 1; n < 65_536 && n < 65_536 * scale; n += 1) {
          const hello = {
            name: `${long}${at}-${n}`,
            session: `${long}${at}-${n}.1`,
            metadata: JSON.stringify({ pad: 'x'.repeat(n % 500 === 1 ? 4000 : 10) }),
          };
          await socket.send(ready(n, `${long}${n % 1000}`, hello));
        }
      }
    },
  },
  'channels that come and go': {
    about: 'a channel after the other under one name, and two connections that take one name from each other',
    async run(connect, scale) {
      const [one, other] = [connect(), connect()];
      for (let n = 1; n < 65_536 && n < 65_536 * scale; n += 1) {
        await one.send(ready(n, `s${n % 3}`, { name: 'same', session: `same${n}.${n}` }));
        await one.send([inChannel(n, 'W'), n % 2 === 0 ? '4' : '5']);
        await other.send(ready(n, `s${n % 3}`, { name: 'same', session: `other${n}.${n}` }));
      }
    },
  },
  'a channel of another': {
    about:
      'READYs in channels under the name of the honest worker, its messages and replies to requests that are not theirs',
    async run(connect, scale) {
      const asker = connect();
      await asker.send(['C', '2', '$dir', 'd', 'null', '{}']);
      const { honest } = JSON.parse(String((await asker.receive())[4]));
      const thief = connect();
      const token = Buffer.alloc(9);
      for (let n = 1; n < 2000 * scale + 2; n += 1) {
        await thief.send(ready(2 * n, 'honest', { name: honest[0], session: `thief${n}.1` }));
        await thief.send(ready(2 * n + 1, 'theft', { name: `${honest[0]}/${n}`, session: `thief${n}.2` }));
        token.writeUInt32BE(n, 5);
        const last = n % 2 === 0 ? 2 * n : 2 * n + 1;
        await thief.send([inChannel(last, 'W'), '3', 'somebody', `r${n}`, '0', '1', token]);
        await thief.send([inChannel(last, 'W'), '9', token.subarray(1)]);
        await thief.send([inChannel(last, 'W'), '5']);
      }
    },
  },
  'junk in channels': {
    about:
      'messages in channels that were not opened, of clients, packed and in batches, in channels of channels, with a first frame of 60 kB',
    async run(connect, scale) {
      const socket = connect();
      await socket.send(ready(1, 'junk', { name: 'junk', session: 'junk.1' }));
      const asks = Array.from({ length: 1500 }, (_, n) => part('C', '2', 'nobody', `r${n}`, '1', '{}'));
      const large = Buffer.alloc(60_000, 1);
      const kinds = [
        (n) => [inChannel(2 + n, 'W'), '4'],
        (n) => [inChannel(1, 'C'), '2', 'nobody', `r${n}`, '1', '{}'],
        () => [inChannel(1, packed('C', '4'))],
        () => [inChannel(1, batch(...asks))],
        () => [inChannel(1, batch(large))],
        () => [inChannel(1, inChannel(1, 'W')), '4'],
        () => [inChannel(1, large), large],
        () => [inChannel(0, 'W'), '4'],
        () => [inChannel(1, '')],
        (n) => ready(1, 'other', { name: `n${n}`, session: 's.1' }),
        (n) => [inChannel(1, 'W'), '6', 'somebody', `r${n}`, '0', large],
      ];
      for (let n = 0; n < 10_000 * scale; n += 1) await socket.send(kinds[n % kinds.length](n % 60_000));
    },
  },
  'claims in channels': {
    about: 'CLAIMs with ids of 60 kB of 500 workers on one connection',
    async run(connect, scale) {
      const socket = connect();
      const long = 'x'.repeat(60_000);
      for (let n = 1; n <= 500; n += 1)
        await socket.send(ready(n, 'claims', { name: `claimer${n}`, session: `claimer${n}.1` }));
      for (let n = 0; n < 20_000 * scale; n += 1) {
        const number = Buffer.alloc(9, 1);
        number.writeUInt32BE(n);
        await socket.send([inChannel(1 + (n % 500), 'W'), '11', 'somebody', `${n}${long}`, number]);
      }
    },
  },
  'a channel that reads nothing': {
    about: 'requests of 100 kB to 200 workers on one connection that reads nothing',
    async run(connect, scale) {
      const [socket, client] = [connect(), connect()];
      for (let n = 1; n <= 200; n += 1)
        await socket.send(ready(n, 'deaf', { name: `deaf${n}`, session: `deaf${n}.1`, concurrency: -1 }));
      await new Promise((resolve) => setTimeout(resolve, 200));
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 5000 * scale; n += 1)
        await client.send(['C', '2', 'deaf', `r${n}`, body, '{"timeout":-1}']);
    },
  },
  'other dialects': {
    about: 'requests of PIGATO and MDP, partials of MDP 0.2 that nobody asked for, and JSON to be bridged',
    async run(connect, scale) {
      const [mdp, worker, pigato] = [connect(), connect('mdp2'), connect()];
      await worker.send(['', 'MDPW02', '\u0001', 'bridge']);
      const body = `[${'"ab",'.repeat(1000)}1]`;
      for (let n = 0; n < 10_000 * scale; n += 1) {
        await mdp.send(['MDPC02', '\u0001', `b${n % 10}`, body]);
        await worker.send(['', 'MDPW02', '\u0004', 'nobody', '', body]);
        await pigato.send(['C', 'C', '', `p${n}`, body]);
        await pigato.send(['C', '2', 'bridge', `p${n}`, body, '{"retry":1}']);
      }
    },
  },
  ...SECURED,
  ...NUMBERS,
  ...SLOW,
};

module.exports = { SCENARIOS };
