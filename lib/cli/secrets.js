'use strict';

const fs = require('node:fs');
const { OPTIONS } = require('../option-table');
const { Usage } = require('./failure');
const { variable } = require('./names');

/**
 * Reads a secret from a file, without the final line break.
 * @param {string} file
 * @param {string} [flag] that names the file
 * @returns {string}
 */
function readSecret(file, flag) {
  const of = flag === undefined ? '' : ` of ${flag}`;
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new Usage(`cannot read the secret${of}: ${/** @type {Error} */ (error).message}`);
  }
  const line = text.replace(/\r?\n$/, '');
  if (line === '') throw new Usage(`the file ${file}${of} is empty, but must contain a secret`);
  return line;
}

/**
 * The settings to log: no secrets, and of the rules only the names of the users.
 * @param {Record<string, any>} settings
 * @returns {Record<string, any>}
 */
function withoutSecrets({ curveSecretKey, plainPassword, httpToken, security, ...settings }) {
  return security === undefined ? settings : { ...settings, users: usersOf(security) };
}

/** @param {any} rules @returns {string[]} */
function usersOf(rules) {
  return Object.keys(rules.users ?? {});
}

/** The variables that hold secrets, to be kept from child processes. */
const SECRET_VARIABLES = OPTIONS.filter(({ flag }) => flag?.only === 'secret').map(({ name }) =>
  variable(name),
);

/** @param {NodeJS.ProcessEnv} env @returns {NodeJS.ProcessEnv} */
function environmentWithoutSecrets(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET_VARIABLES.includes(name)));
}

exports.environmentWithoutSecrets = environmentWithoutSecrets;
exports.readSecret = readSecret;
exports.usersOf = usersOf;
exports.withoutSecrets = withoutSecrets;
