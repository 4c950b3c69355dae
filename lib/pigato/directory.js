'use strict';

const { Client } = require('../client');
const { View } = require('../directory');
const { Worker } = require('./worker');

/**
 * Serves `$dir`: the identities of the workers of each service, or of one. It follows them by the broker's own
 * directory.
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
    const view = new View();
    // One update after the other, because each begins where the one before ended. The first one may be old.
    let updated = Promise.resolve();
    const update = () => {
      updated = updated
        .catch(() => {})
        .then(async () => {
          await view.update(client, undefined);
        });
      return updated;
    };
    worker.on('request', async (/** @type {any} */ service, /** @type {any} */ reply) => {
      await update();
      const list = view.list();
      if (!service) reply.end(list);
      else reply.end(Object.hasOwn(list, service) ? list[service] : []);
    });
    client.start(() => {});
    update().catch(() => {});
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
