'use strict';
// The modules of src/: what they import from each other, and which of them are procedures of the broker.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { ROOT } = require('../support/programs');

const SRC = path.join(ROOT, 'src');

/** Code that belongs to tests may import everything. */
const OF_TESTS = /(^|\/)(fuzz|tests|testing|audit|bench)(\/|\.rs$)|_tests\.rs$|^fuzz/;

/** @returns the modules by name, `proto::broker::keys`, with their source without tests and comments */
function readModules() {
  const modules = new Map();
  for (const file of fs.readdirSync(SRC, { recursive: true })) {
    const name = file.replaceAll(path.sep, '/');
    if (!name.endsWith('.rs') || OF_TESTS.test(name)) continue;
    const source = fs
      .readFileSync(path.join(SRC, file), 'utf8')
      .replace(/^\s*\/\/.*$/gm, '')
      .replace(/#\[cfg\(test\)\]\s*mod \w+ \{[\s\S]*$/m, '');
    modules.set(name.replace(/(\/mod)?\.rs$/, '').replaceAll('/', '::'), { source, names: new Map() });
  }
  return modules;
}

/** @returns the paths that a tree of imports names, each with the name under which it is imported */
function paths(tree, prefix = []) {
  const at = tree.indexOf('{');
  if (at < 0) {
    const [full, as] = tree.trim().split(/\s+as\s+/);
    const all = [...prefix, ...full.split('::')].filter((part) => part && part !== 'self');
    return all.length ? [{ full: all, name: as ?? all.at(-1) }] : [];
  }
  const start = [...prefix, ...tree.slice(0, at).trim().split('::').filter(Boolean)];
  let depth = 0;
  const parts = [''];
  for (const char of tree.slice(at + 1, tree.lastIndexOf('}'))) {
    depth += (char === '{') - (char === '}');
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.filter((part) => part.trim()).flatMap((part) => paths(part, start));
}

/** @returns the parts of a path from the root of the crate, or null if it belongs to another crate */
function absolute(full, module, modules) {
  if (full[0] === 'crate') return full.slice(1);
  let base = module.split('::');
  if (full[0] !== 'super') return modules.has(`${module}::${full[0]}`) ? [...base, ...full] : null;
  let rest = full;
  for (; rest[0] === 'super'; rest = rest.slice(1)) base = base.slice(0, -1);
  return [...base, ...rest];
}

/** @returns the module that defines what a path names, through the names that others export again */
function defining(parts, modules, depth = 0) {
  let length = parts.length;
  while (length && !modules.has(parts.slice(0, length).join('::'))) length -= 1;
  const module = parts.slice(0, length).join('::');
  const again = modules.get(module)?.names.get(parts[length]);
  return again && depth < 9 ? defining(again, modules, depth + 1) : module;
}

/** @returns the modules that each module imports from */
function imports(modules) {
  const used = new Map();
  for (const [module, { source, names }] of modules) {
    const found = [];
    const rest = source.replace(/(?<![\w"])use\s+([^;"]+);/g, (_, tree) => {
      for (const { full, name } of paths(tree)) {
        const parts = absolute(full, module, modules);
        if (parts) names.set(name, parts);
        if (parts) found.push(parts);
      }
      return '';
    });
    for (const [inline] of rest.matchAll(/\b(?:crate|super)(?:::\w+)+/g)) {
      const parts = absolute(inline.split('::'), module, modules);
      if (parts) found.push(parts);
    }
    used.set(module, found);
  }
  return new Map([...used].map(([module, all]) => [module, all.map((parts) => defining(parts, modules))]));
}

/** @returns the circles among the children of a folder; a child stands for its own children as well */
function circles(folder, used) {
  const depth = folder ? folder.split('::').length : 0;
  const child = (module) =>
    !folder || module.startsWith(`${folder}::`)
      ? module
          .split('::')
          .slice(0, depth + 1)
          .join('::')
      : null;
  const edges = new Map();
  for (const [module, all] of used) {
    const from = child(module);
    if (!from) continue;
    if (!edges.has(from)) edges.set(from, new Map());
    for (const other of all) {
      const to = other && child(other);
      if (to && to !== from && to !== folder) edges.get(from).set(to, `${module} uses ${other}`);
    }
  }
  const reach = (start) => {
    const seen = new Set();
    const next = [start];
    while (next.length) {
      for (const to of edges.get(next.pop())?.keys() ?? []) {
        if (!seen.has(to)) next.push(to);
        seen.add(to);
      }
    }
    return seen;
  };
  const reached = new Map([...edges.keys()].map((module) => [module, reach(module)]));
  const found = [];
  for (const [module, all] of reached) {
    const circle = [...all].filter((other) => reached.get(other)?.has(module)).sort();
    if (circle[0] !== module) continue;
    const why = circle.flatMap((a) =>
      [...edges.get(a)].filter(([b]) => circle.includes(b)).map(([, text]) => text),
    );
    found.push({ name: circle.map((each) => each.split('::').at(-1)).join(', '), why });
  }
  return found;
}

test('modules of one folder do not import each other in a circle', () => {
  const modules = readModules();
  const used = imports(modules);
  const folders = new Set([...modules.keys()].map((module) => module.split('::').slice(0, -1).join('::')));
  const found = [];
  for (const folder of folders) {
    for (const { name, why } of circles(folder, used)) {
      found.push(`${folder}: ${name}\n  ${why.join('\n  ')}`);
    }
  }
  assert.deepEqual(found, [], found.join('\n'));
});

test('ARCHITECTURE.md lists the procedures of the broker', () => {
  const text = fs.readFileSync(path.join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const [, table] = /\| procedures \| files \|\n([\s\S]*?)\n\n/.exec(text) ?? [];
  const listed = [...(table ?? '').matchAll(/`([\w/]+)\.rs`/g)].map(([, name]) => `proto::broker::${name}`);
  const procedures = [...readModules()].filter(([, { source }]) => /^impl.* Broker<F> \{$/m.test(source));
  assert.deepEqual(listed.sort(), procedures.map(([module]) => module).sort());
});
