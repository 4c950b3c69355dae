'use strict';
// gRPC by @grpc/grpc-js, as a direct call: there is no broker between its client and its server.
const { install } = require('../harness/install.js');

const METHOD = '/bench.Echo/echo';
const bytes = (value) => value;

/** One unary method whose messages are bytes, as generated code would define it. */
const definition = {
  path: METHOD,
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};

const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

module.exports = {
  name: 'grpc',
  title: 'gRPC, a direct call',
  can: ['text', 'paced', 'bytes'],

  async prepare() {
    const { dir, version } = install('@grpc/grpc-js', ['1.14.7']);
    return { version, conf: { grpc: dir } };
  },

  async broker() {},

  async worker({ grpc, ports: [port] }, tally) {
    const { Server, ServerCredentials } = require(grpc);
    const server = new Server(UNLIMITED);
    server.addService(
      { echo: definition },
      {
        echo({ request }, done) {
          tally.handled += 1;
          done(null, request);
        },
      },
    );
    await new Promise((resolve, reject) => {
      const started = (error) => (error ? reject(error) : resolve(undefined));
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), started);
    });
  },

  async client({ grpc, ports: [port] }) {
    const { Client, credentials } = require(grpc);
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), UNLIMITED);
    await new Promise((resolve, reject) => {
      client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve(undefined)));
    });
    return {
      request(data, done) {
        const isText = typeof data === 'string';
        const request = isText ? Buffer.from(data) : data;
        client.makeUnaryRequest(METHOD, bytes, bytes, request, (error, reply) => {
          if (error) return done(error);
          done(null, isText ? reply.toString() : reply);
        });
      },
      bytes: (reply) => reply,
    };
  },
};
