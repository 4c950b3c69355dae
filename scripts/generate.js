'use strict';
// `npm run generate`: writes generated parts of documents and types, between marks with their names: the
// options of lib/option-table into the guides, the error codes and balancing policies of
// the native side into index.d.ts. With `--check` it writes nothing and fails if a part is outdated; the tests use this.
const fs = require('node:fs');
const path = require('node:path');
const { shownFor } = require('../lib/cli/options.js');
const { balances, codes } = require('../lib/load.js');
const { OPTIONS, PEERS, optionsOf, rangeOf } = require('../lib/option-table');
const { root } = require('./platforms.js');

/** @typedef {import('../lib/option-table/option.js').Option} Option */

/** @param {Option} option @param {boolean} [all] whether to name ms, too, which docs/api.md does in its text */
function textOf(option, all) {
  const { help, more, type, unit } = option;
  const counted = ['number', 'integer', 'fraction', 'deadline', 'retry'].includes(type);
  const range = counted
    ? `: ${rangeOf(option)}${unit === undefined || (unit === 'ms' && !all) ? '' : `, in ${unit}`}`
    : '';
  return `${help}${range}${more === undefined ? '' : `. ${more}`}`.replaceAll(/\b[CWB]_[A-Z_]+\b/g, '`$&`');
}

/** @param {Option} option */
function defaultOf({ default: words, value }) {
  if (words !== undefined) return words;
  return typeof value === 'string' ? `\`'${value}'\`` : String(value ?? '');
}

/** @param {readonly Option[]} options @param {string} [what] @param {boolean} [all] */
function optionTable(options, what = 'option', all = false) {
  const rows = options.map(
    (option) => `| \`${option.name}\` | ${defaultOf(option)} | ${textOf(option, all)} |\n`,
  );
  return `| ${what} | default | |\n|---|---|---|\n${rows.join('')}`;
}

/** @param {readonly Option[]} options */
function securityTable(options) {
  const rows = options.map(
    (option) => `| \`${option.name}\` | ${option.of.join(', ')} | ${textOf(option)} |\n`,
  );
  return `| option | of | |\n|---|---|---|\n${rows.join('')}`;
}

/** @param {import('../lib/option-table/option.js').Role} role */
function flagTable(role) {
  const rows = shownFor(role).map(
    ({ option, flag, variable }) => `| ${flag} | ${variable} | ${defaultOf(option)} | ${option.help} |\n`,
  );
  return `| option | variable | default | |\n|---|---|---|---|\n${rows.join('')}`;
}

/** @param {Option} option */
const isCommon = ({ of }) => PEERS.every((role) => of.includes(role));

/** @param {import('../lib/option-table/option.js').Role} role */
function ownOf(role) {
  return optionsOf(role).filter((option) => option.group === undefined && !isCommon(option));
}

function errorCodes() {
  const all = codes();
  const lines = all.map(({ code, meaning }) => ` * - \`${code}\`: ${meaning}\n`);
  const union = all.map(({ code }) => `  | '${code}'`).join('\n');
  return `/**
 * The codes of failures that this package itself finds, in contrast to the error values of workers. docs/errors.md
 * describes the remedy for each.
 *
${lines.join('')} */
export type ErrorCode =
${union};
`;
}

function balanceNames() {
  const union = balances().map((name) => `'${name}'`);
  return `/** A policy by which a service chooses among its workers. docs/services.md describes each. */
export type Balance = ${union.join(' | ')};
`;
}

/**
 * The generated parts of each file, by the name in their marks.
 * @type {Record<string, Record<string, () => string>>}
 */
const PARTS = {
  'docs/api.md': {
    'common options': () => optionTable(OPTIONS.filter((option) => isCommon(option) && !option.group)),
    'options of a broker': () => optionTable(ownOf('broker')),
    'options of a worker': () => optionTable(ownOf('worker')),
    'options of a client': () => optionTable(ownOf('client')),
    'options of a request': () => optionTable(optionsOf('request')),
    'options of a part': () => optionTable(optionsOf('reply')),
    'options of stop': () => optionTable(optionsOf('stop')),
    'options of security': () => securityTable(OPTIONS.filter(({ group }) => group === 'security')),
  },
  'docs/client.md': { 'members of a retry policy': () => optionTable(optionsOf('retry'), 'member', true) },
  'docs/monitoring.md': { 'options of a monitor': () => optionTable(optionsOf('monitor'), 'option', true) },
  'docs/services.md': {
    'options of callAll': () => optionTable(optionsOf('callAll'), 'option', true),
  },
  'docs/cli.md': {
    'flags of the broker': () => flagTable('broker'),
    'flags of a client': () => flagTable('client'),
    'flags of a request': () => flagTable('request'),
    'flags of a worker': () => flagTable('worker'),
  },
  'index.d.ts': { 'error codes': errorCodes, 'balancing policies': balanceNames },
};

/** @param {string} file @param {string} name */
function marksOf(file, name) {
  const [start, end] = [`generated: ${name}`, `end of ${name}`];
  if (file.endsWith('.md')) return [`<!-- ${start} -->\n`, `<!-- ${end} -->\n`];
  return [`// ${start}\n`, `// ${end}\n`];
}

/** @param {string} file @param {string} text its present content */
function written(file, text) {
  let result = text;
  for (const [name, part] of Object.entries(PARTS[file])) {
    const [start, end] = marksOf(file, name);
    const [from, to] = [result.indexOf(start), result.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${file} has no marks for "${name}"`);
    result = result.slice(0, from + start.length) + part() + result.slice(to);
  }
  return result;
}

function main() {
  const check = process.argv.includes('--check');
  for (const file of Object.keys(PARTS)) {
    const full = path.join(root, file);
    const text = fs.readFileSync(full, 'utf8');
    const wanted = written(file, text);
    if (wanted === text) continue;
    if (check) throw new Error(`${file} is not what "npm run generate" writes`);
    fs.writeFileSync(full, wanted);
    console.log(`${file} written`);
  }
}

main();
