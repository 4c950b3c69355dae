'use strict';
// NATS: its server, and request/reply by its client for Node.js. There is no queue: a request is answered by
// a subscriber or refused.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { CACHE, install } = require('../harness/install.js');
const { Skip } = require('./skip.js');

/** Debian installs it outside of the PATH of most users. */
const PROGRAMS = ['nats-server', '/usr/sbin/nats-server'];

/** In ms. The last reply of a flood arrives late. */
const TIMEOUT = 120_000;

const connect = ({ nats, ports }) => require(nats).connect({ servers: `127.0.0.1:${ports[0]}` });

module.exports = {
  name: 'nats',
  title: 'NATS',
  can: ['text', 'paced', 'parts', 'bytes'],

  async prepare() {
    const ask = (program) => spawnSync(program, ['--version'], { encoding: 'utf8' });
    const program = PROGRAMS.find((each) => ask(each).status === 0);
    if (program === undefined) {
      throw new Skip('there is no nats-server on the PATH; on Debian: apt-get install nats-server');
    }
    const server = ask(program).stdout.match(/\d[\d.]*/)?.[0];
    // The last version of 2.x; 3 consists of other packages.
    const { dir, version } = install('nats', ['2.29.3']);
    // The default limit is exactly 1 MiB.
    const config = path.join(CACHE, 'nats.conf');
    fs.writeFileSync(config, 'max_payload: 8MB\nmax_pending: 1GB\n');
    return { version: `server ${server}, client ${version}`, conf: { nats: dir, config, program } };
  },

  launch(role, { config, program, ports: [port] }) {
    if (role !== 'broker') return undefined;
    return { server: [program, '-c', config, '-a', '127.0.0.1', '-p', String(port)], port };
  },

  async worker(conf, tally) {
    const { StringCodec } = require(conf.nats);
    const text = StringCodec();
    const connection = await connect(conf);
    const handle = {
      // It decodes the value, as the handlers of other systems do.
      echo: (message) => message.respond(text.encode(text.decode(message.data))),
      bytes: (message) => message.respond(message.data),
      parts(message) {
        const parts = Number(text.decode(message.data));
        for (let part = 0; part < parts; part += 1)
          connection.publish(message.reply, text.encode(String(part)));
        connection.publish(message.reply, text.encode('done'));
      },
    }[conf.binary ? 'bytes' : conf.kind];
    connection.subscribe(conf.service, {
      callback(error, message) {
        if (error) throw error;
        tally.handled += 1;
        handle(message);
      },
    });
    await connection.flush();
  },

  async client(conf) {
    const { StringCodec, createInbox } = require(conf.nats);
    const text = StringCodec();
    const connection = await connect(conf);
    const options = { timeout: TIMEOUT };
    const { service } = conf;
    return {
      request(data, done) {
        const bytes = typeof data === 'string' ? text.encode(data) : data;
        const decode = typeof data === 'string' ? (reply) => text.decode(reply.data) : (reply) => reply.data;
        connection.request(service, bytes, options).then((reply) => done(null, decode(reply)), done);
      },
      bytes: (reply) => reply,
      stream(parts, onPart, done) {
        const reply = createInbox();
        const subscription = connection.subscribe(reply, {
          callback(error, message) {
            const part = error ? undefined : text.decode(message.data);
            if (error === null && part !== 'done') return onPart(Number(part));
            subscription.unsubscribe();
            done(error);
          },
        });
        connection.publish(service, text.encode(String(parts)), { reply });
      },
    };
  },
};
