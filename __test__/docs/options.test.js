'use strict';
// The table of options against the types, the documents, the checks and the command line.
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { helpFor, settingsOf } = require('../../lib/cli/options');
const { OPTIONS, optionsOf } = require('../../lib/option-table');
const { checkConf } = require('../../lib/options');
const { ROOT } = require('../support/programs');

const TYPES = ['index.d.ts', path.join('lib', 'monitor', 'index.d.ts')]
  .map((file) => fs.readFileSync(path.join(ROOT, file), 'utf8'))
  .join('');

/** The members of an interface, each with what its comment says of its default and of its range. */
function membersOf(name) {
  const [, , block] = new RegExp(
    `^export interface ${name}(?:<.*>)?( extends [^{]*)? \\{\\n([\\s\\S]*?)^\\}`,
    'm',
  ).exec(TYPES);
  return [...block.matchAll(/( {2}\/\*\*[\s\S]*?\*\/\n)? {2}(?:readonly )?(\w+)\??: /g)].map(
    ([, comment = '', member]) => [
      member,
      {
        value: /@defaultValue (.*)/.exec(comment)?.[1],
        range: /(?<![\w.])(\d+) to (\d+)(?!\w|\.\d)/
          .exec(comment.replaceAll(/\s+\*?\s*/g, ' '))
          ?.slice(1)
          .map(Number),
      },
    ],
  );
}

const INTERFACES = {
  broker: ['PeerConf', 'BrokerConf', 'ServerSecurity'],
  worker: ['PeerConf', 'ConnectingPeerConf', 'WorkerConf', 'ClientSecurity'],
  client: ['PeerConf', 'ConnectingPeerConf', 'ClientConf', 'ClientSecurity'],
  request: ['RequestOptions'],
  stop: ['StopOptions'],
  callAll: ['CallAllOptions'],
  watchServices: ['WatchOptions'],
  monitor: ['MonitorOptions'],
  retry: ['RetryPolicy'],
  rate: ['Rate'],
  policy: ['ServicePolicy'],
  service: ['LimitedListener'],
  rules: ['SecurityRules'],
  user: ['UserRules'],
};

for (const [role, names] of Object.entries(INTERFACES)) {
  describe(`the options of ${role}`, () => {
    const options = optionsOf(role);
    const members = new Map(names.flatMap(membersOf));

    test('are those of index.d.ts', () => {
      const said = options.map(({ name }) => name);
      assert.deepEqual([...members.keys()].sort(), said.sort());
    });

    test('have the same ranges there', () => {
      for (const { name, type, min, max } of options) {
        const said = members.get(name)?.range;
        if (said !== undefined && min !== undefined) assert.deepEqual(said, [min, max], `${name}, ${type}`);
      }
    });

    test('have the same defaults there', () => {
      for (const { name, value } of options) {
        if (value === undefined || Array.isArray(value)) continue;
        const said = members.get(name)?.value;
        assert.equal(said, typeof value === 'string' ? `'${value}'` : String(value), name);
      }
    });
  });
}

test('what is generated is as the sources say', () => {
  execFileSync(process.execPath, [path.join(ROOT, 'scripts', 'generate.js'), '--check'], { stdio: 'pipe' });
});

test('each number is refused beyond its range, and its bounds are not', () => {
  for (const role of ['broker', 'worker', 'client']) {
    for (const { name, type, min, max, off } of optionsOf(role)) {
      if (type !== 'number' && type !== 'integer') continue;
      for (const fits of [min, max, off === undefined ? min : -1]) {
        if (fits !== undefined) assert.equal(checkConf(role, { [name]: fits })[name], fits);
      }
      for (const wrong of [min - (off !== undefined && min === 0 ? 2 : 1), max && max + 1, off ? -2 : -1]) {
        if (wrong !== undefined) assert.throws(() => checkConf(role, { [name]: wrong }), RangeError, name);
      }
    }
  }
});

test('each option of the table has a flag with a help, unless it says otherwise', () => {
  for (const { name, of, flag } of OPTIONS) {
    if (flag?.only !== undefined) continue;
    const long = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    for (const role of of) {
      assert.ok(Object.hasOwn(settingsOf(role), name), name);
      assert.ok(helpFor(role).includes(`${long}`), long);
    }
  }
});
