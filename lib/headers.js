'use strict';
// The headers of a request.

const { isObject, wrongType } = require('./checks');
const { given } = require('./describe');

/** @param {unknown} value @returns {Record<string, unknown> | undefined} */
function checkHeaders(value) {
  if (value === undefined || value === null) return undefined;
  // The JSON of a Map or a Headers would silently be {}.
  if (!isObject(value)) {
    throw wrongType(value, 'option "headers"', 'a plain object');
  }
  /** @type {Record<string, unknown>} */
  const headers = Object.create(null);
  for (const [key, field] of Object.entries(/** @type {object} */ (value))) {
    if (field === undefined) continue;
    checkField(key, field);
    headers[key] = field;
  }
  return headers;
}

/** @param {string} key @param {unknown} field */
function checkField(key, field) {
  if (typeof field === 'string' || typeof field === 'boolean' || Number.isFinite(field)) return;
  const what = `option "headers": the value of ${given(key).replace(/ \(string\)$/, '')}`;
  throw wrongType(field, what, 'a string, a finite number or a boolean');
}

/** The JSON of headers without its braces, checked. @param {Record<string, unknown>} headers @returns {string} */
function fieldsOf(headers) {
  let json = '';
  for (const key of Object.keys(headers)) {
    const field = headers[key];
    if (field === undefined) continue;
    checkField(key, field);
    json += `${json === '' ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(field)}`;
  }
  return json;
}

exports.checkHeaders = checkHeaders;
exports.fieldsOf = fieldsOf;
