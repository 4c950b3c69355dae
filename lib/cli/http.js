'use strict';
// The monitor of `zmq-omdp broker --http`.

const http = require('node:http');
const { Usage } = require('./failure');
const { checkOptions } = require('../monitor/options');
const { kebab } = require('./names');
const { readSecret } = require('./secrets');

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
    throw new Usage(message.replace(/option "(\w+)"/, (_all, name) => `--http-${kebab(name)}`));
  }
  return { host: inBrackets ?? plain, port, monitor };
}

/** @param {string} host */
function isLoopback(host) {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** The endpoint for a client on this machine. @param {string} endpoint */
function reachable(endpoint) {
  return endpoint.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

/**
 * @param {import('../broker').Broker} broker running
 * @param {Settings} settings
 * @param {Record<string, any>} conf of the broker
 * @returns {Promise<{ url: string, end: () => Promise<void> }>}
 */
async function serveHttp(broker, { host, port, monitor: options }, conf) {
  const { Client } = require('../client');
  const { createMonitor } = require('../monitor');
  const remote = !isLoopback(host);
  // Test requests of the page have no user: not permitted with security, nor from other machines without a
  // token.
  const mayRequest = !conf.curveServer && !conf.plainServer && (!remote || options.token !== undefined);
  const client = mayRequest ? new Client(reachable(broker.endpoints[0])) : undefined;
  await client?.start();
  const monitor = createMonitor(/** @type {any} */ (broker), {
    ...options,
    remote,
    ...(client === undefined ? {} : { client: /** @type {any} */ (client) }),
  });
  const server = http.createServer(monitor);
  const end = async () => {
    monitor.close();
    server.close();
    server.closeAllConnections();
    await client?.stop();
  };
  try {
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve(undefined));
    });
  } catch (error) {
    await end();
    throw error;
  }
  const { port: bound } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/`, end };
}

exports.httpSettings = httpSettings;
exports.serveHttp = serveHttp;
