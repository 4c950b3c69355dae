'use strict';
// Standard Schema (https://standardschema.dev), as in zod, valibot and arktype. A sender checks data and
// sends them unchanged; a receiver gets the output of the schema.

const { members, object, wrongType } = require('./checks');

/** @typedef {{ readonly message: string, readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] }} Issue */
/** @typedef {{ '~standard': { version: 1, vendor: string, validate: (value: unknown) => any } }} Schema */
/** @typedef {'request' | 'partial' | 'reply'} Part */
/** @typedef {{ [part in Part]?: Schema }} ServiceSchema */

/** @import { Check } from './checks' */

/** @type {Check} Schemas of arktype are functions. */
function checkValidator(value, what) {
  if (typeof (/** @type {any} */ (value)?.['~standard']?.validate) === 'function') return value;
  throw wrongType(value, what, 'a schema with "~standard"');
}

const PARTS = new Map(['request', 'partial', 'reply'].map((part) => [part, checkValidator]));

/** The maximum number of issues in a message. */
const NAMED = 3;

/** The error for data that a schema refuses. */
class SchemaError extends TypeError {
  code = 'ERR_OMDP_SCHEMA';

  /** @param {string} what @param {readonly Issue[]} issues */
  constructor(what, issues) {
    super(`${what}: ${textOf(issues)}`);
    this.issues = issues;
  }
}
Object.defineProperty(SchemaError.prototype, 'name', {
  value: 'TypeError',
  configurable: true,
  writable: true,
});

/** @param {readonly Issue[]} issues @returns {string} */
function textOf(issues) {
  const named = issues.slice(0, NAMED).map(({ message, path = [] }) => {
    // Not `path.map()`: the path of arktype is a subclass of Array whose constructor takes elements.
    const at = Array.from(path, (step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return at === '' ? message : `${at}: ${message}`;
  });
  const more = issues.length - named.length;
  return `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

const WORDS = {
  request: 'the request does not match the schema of service',
  partial: 'a part of the reply does not match the schema of service',
  reply: 'the reply does not match the schema of service',
};

/**
 * @param {ServiceSchema | undefined} schemas
 * @param {Part} part
 * @param {string} service
 * @param {unknown} value
 * @returns {any} the output of the schema, or the value if there is no schema
 * @throws {SchemaError}
 */
function parse(schemas, part, service, value) {
  const schema = schemas?.[part];
  if (schema === undefined) return value;
  const result = schema['~standard'].validate(value);
  if (typeof result?.then === 'function') {
    // The result is not used.
    result.then(undefined, () => {});
    throw new TypeError(
      `the schema "${part}" of service ${JSON.stringify(service)} must not be asynchronous`,
    );
  }
  if (result.issues === undefined) return result.value;
  throw new SchemaError(`${WORDS[part]} ${JSON.stringify(service)}`, result.issues);
}

/** @param {unknown} value @param {string} what @returns {ServiceSchema} */
function checkSchema(value, what) {
  return members(value, what, PARTS);
}

/** @param {unknown} value @param {string} what @returns {Map<string, ServiceSchema>} */
function checkSchemas(value, what) {
  const services = Object.entries(object(value, what));
  return new Map(
    services.map(([service, each]) => [service, checkSchema(each, `${what}[${JSON.stringify(service)}]`)]),
  );
}

/**
 * The schemas of a worker's services by name: the schema of its only service, or one for each.
 * @param {readonly string[]} services
 * @param {ServiceSchema | undefined} schema
 * @param {Map<string, ServiceSchema> | undefined} schemas
 * @returns {Map<string, ServiceSchema> | undefined}
 */
function schemasOf(services, schema, schemas) {
  if (schema !== undefined) {
    if (services.length > 1) {
      throw new TypeError('option "schema" requires a worker of one service; use "schemas" for several');
    }
    if (schemas !== undefined) throw new TypeError('option "schemas" cannot be combined with "schema"');
    return new Map([[services[0], schema]]);
  }
  for (const service of schemas?.keys() ?? []) {
    if (!services.includes(service)) {
      throw new TypeError(
        `option "schemas" has ${JSON.stringify(service)}, which is not a service of the worker: ${services.join(', ')}`,
      );
    }
  }
  return schemas;
}

/** The client's error for a request that its worker's schema refuses. @param {unknown} error */
function badRequest(error) {
  const { message, issues } = /** @type {SchemaError} */ (error);
  const paths = issues?.map(({ message: text, path = [] }) => ({
    message: text,
    path: path.map((step) => (typeof step === 'object' ? step.key : step)),
  }));
  return { message, name: 'TypeError', code: 'C_BAD_REQUEST', ...(paths && { issues: paths }) };
}

exports.SchemaError = SchemaError;
exports.badRequest = badRequest;
exports.checkSchema = checkSchema;
exports.checkSchemas = checkSchemas;
exports.parse = parse;
exports.schemasOf = schemasOf;
