'use strict';

const { Client } = require('../client');
const { DIRECTORY } = require('./broker');
const { Worker } = require('./worker');

/**
 * Serves `$dir`: the identities of the workers of each service, or of one. It asks the `Broker` of this API.
 */
class Directory {
  /** Read on each use. @type {Record<string, any>} */
  conf;
  /** The worker, while the directory is running. @type {Worker | undefined} */
  wrk;
  /** @type {Client | undefined} */
  #client;

  /**
   * @param {string} endpoint
   * @param {Record<string, any>} [conf] `intch` is not used
   */
  constructor(endpoint, conf) {
    this.endpoint = endpoint;
    this.conf = { ...conf };
    this.service = '$dir';
  }

  start() {
    this.#end();
    const client = new Client(this.endpoint);
    const worker = new Worker(this.endpoint, this.service);
    worker.on('request', async (/** @type {any} */ service, /** @type {any} */ reply) => {
      reply.end(await client.call(DIRECTORY, service));
    });
    client.start(() => {});
    worker.start();
    this.#client = client;
    this.wrk = worker;
    setImmediate(() => this.conf.onStart?.());
  }

  stop() {
    this.#end();
    this.conf.onStop?.();
  }

  #end() {
    this.wrk?.stop();
    this.#client?.stop(() => {});
    this.wrk = undefined;
    this.#client = undefined;
  }
}

exports.Directory = Directory;
