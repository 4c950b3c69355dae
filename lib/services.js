'use strict';
// The checks of services and their names.

const { isObject, members, text, wrongType } = require('./checks');
const { given } = require('./describe');
const { PROTOCOLS } = require('./option-table');
const { checksOf, defaultsOf } = require('./options');

const MAX_SERVICE_BYTES = 255;
const MAX_NAME_BYTES = 255;
/** The maximum number of services of one worker. */
const MAX_SERVICES = 1024;

const CHECKS = checksOf('service');

const checkServiceText = text(`a string of 1 to ${MAX_SERVICE_BYTES} bytes`, MAX_SERVICE_BYTES);

/** @param {unknown} service @returns {string} */
function checkService(service) {
  return checkServiceText(service, 'service');
}

/**
 * @param {unknown} given the name of a service, or handlers by the names of several services
 * @param {{ name: string, generated: boolean, version?: string, pattern: boolean, protocol: string }} conf
 * @returns {{ services: string[], names: string[], handlers: Function[] | undefined, limits: number[] }}
 */
function checkServices(given, conf) {
  const entries = isObject(given) ? Object.entries(given) : [];
  if (entries.length === 0) {
    const service = checkService(given);
    return { services: [service], names: [serviceName(service, conf)], handlers: undefined, limits: [] };
  }
  if (entries.length > MAX_SERVICES) {
    throw new RangeError(`service must have at most ${MAX_SERVICES} handlers, got ${entries.length}`);
  }
  const handlers = [];
  const limits = [];
  for (const [service, entry] of entries) {
    const what = `services[${JSON.stringify(service)}]`;
    checkServiceText(service, `the name of ${what}`);
    const { handler, concurrency } = checkEntry(entry, what);
    handlers.push(handler);
    limits.push(concurrency);
    // At the broker each service is a separate worker.
    const name = `${conf.name}/${serviceName(service, conf)}`;
    if (!conf.generated && entries.length > 1 && Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw new RangeError(
        `option "name" is too long: with "/" and the name of ${what} it must have at most ${MAX_NAME_BYTES} bytes`,
      );
    }
  }
  const services = entries.map(([service]) => service);
  const names = services.map((service) => serviceName(service, conf));
  const limited = limits.some((limit) => limit !== -1);
  return { services, names, handlers, limits: limited ? limits : [] };
}

/**
 * @param {unknown} entry the handler of one of several services, alone or with its options
 * @param {string} what
 * @returns {{ handler: Function, concurrency: number }}
 */
function checkEntry(entry, what) {
  if (typeof entry === 'function') return { handler: entry, concurrency: -1 };
  if (!isObject(entry)) throw wrongType(entry, what, 'a function, or an object with a handler');
  const checked = members(entry, what, CHECKS, defaultsOf('service'));
  if (checked.handler === undefined)
    throw wrongType(/** @type {any} */ (entry).handler, `${what}.handler`, 'a function');
  return checked;
}

/**
 * The name under which a worker registers.
 * @param {string} service
 * @param {{ version?: string, pattern: boolean, protocol: string }} conf
 * @returns {string}
 */
function serviceName(service, { version, pattern, protocol }) {
  if (pattern) {
    if (protocol !== PROTOCOLS[0]) throw new TypeError(`option "pattern" cannot be used under ${protocol}`);
    if (version !== undefined) throw new TypeError('option "version" cannot be used with option "pattern"');
    const stars = service.split('*').length - 1;
    if (stars !== 1 || !service.endsWith('*')) {
      throw new RangeError(`service must end with its only * under option "pattern", got ${given(service)}`);
    }
  }
  if (version === undefined) return service;
  if (service.includes('@')) {
    throw new TypeError(
      `option "version" cannot be used with a service that has an @, got ${given(service)}`,
    );
  }
  return checkService(`${service}@${version}`);
}

exports.checkService = checkService;
exports.checkServices = checkServices;
