'use strict';
// The monitor of `zmq-omdp broker --http`.

const http = require('node:http');
const { Usage } = require('./failure');
const { isThisMachine } = require('../monitor/access');
const { checkOptions } = require('../monitor/options');
const { kebab } = require('./names');
const { readSecret } = require('./secrets');
const { writtenAs } = require('./settings');

/** @typedef {{ host: string, port: number, monitor: Record<string, unknown> }} Settings */

/** @param {Record<string, any>} settings @returns {Settings | undefined} */
function httpSettings(settings) {
  if (settings.http === undefined) {
    for (const name of ['httpTokenFile', 'httpMaxWorkers', 'httpInterval']) {
      if (settings[name] !== undefined) throw new Usage(`--${kebab(name)} requires --http`);
    }
    return undefined;
  }
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(settings.http) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535)
    throw new Usage(`--http must be HOST:PORT, such as 127.0.0.1:9464, got "${settings.http}"`);
  const token =
    settings.httpTokenFile === undefined
      ? settings.httpToken
      : readSecret(settings.httpTokenFile, '--http-token-file');
  const { httpMaxWorkers: maxWorkers, httpInterval: interval } = settings;
  const monitor = { token, maxWorkers, interval };
  try {
    checkOptions(monitor);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    const ofToken =
      settings.httpTokenFile === undefined
        ? writtenAs('httpToken')
        : 'the content of the file of --http-token-file';
    throw new Usage(
      message.replace(/option "(\w+)"/, (_all, name) =>
        name === 'token' ? ofToken : `--http-${kebab(name)}`,
      ),
    );
  }
  return { host: inBrackets ?? plain, port, monitor };
}

/** The endpoint for a client on this machine. @param {string} endpoint */
function reachable(endpoint) {
  return endpoint.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

/**
 * To be called before the broker starts, so that the page lists the events from the start on.
 * @param {import('../broker').Broker} broker
 * @param {Settings} settings
 * @param {Record<string, any>} conf of the broker
 * @returns {{ serve: () => Promise<string>, end: () => Promise<void> }} `serve`, once the broker runs, returns the URL
 */
function prepareHttp(broker, { host, port, monitor: options }, conf) {
  const { Client } = require('../client');
  const { createMonitor } = require('../monitor');
  const remote = !isThisMachine(host);
  // Test requests of the page have no user: not permitted with security, nor from other machines without a
  // token.
  const mayRequest = !conf.curveServer && !conf.plainServer && (!remote || options.token !== undefined);
  /** @type {import('../client').Client | undefined} */
  let client;
  // A client needs an endpoint, which is known once the broker is bound.
  /** @type {import('../monitor/options').Requester} */
  const requester = {
    /** @param {any[]} args */
    request: (...args) => /** @type {any} */ (client).request(...args),
  };
  const monitor = createMonitor(/** @type {any} */ (broker), {
    ...options,
    remote,
    ...(mayRequest ? { client: /** @type {any} */ (requester) } : {}),
  });
  const server = http.createServer(monitor);
  const end = async () => {
    monitor.close();
    server.close();
    server.closeAllConnections();
    await client?.stop();
  };
  const serve = async () => {
    if (mayRequest) {
      client = new Client(reachable(broker.endpoints[0]));
      await client.start();
    }
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve(undefined));
    });
    const { port: bound } = /** @type {import('node:net').AddressInfo} */ (server.address());
    return `http://${host.includes(':') ? `[${host}]` : host}:${bound}/`;
  };
  return { serve, end };
}

exports.httpSettings = httpSettings;
exports.prepareHttp = prepareHttp;
