'use strict';
// The documents: relative links lead somewhere, and JavaScript in them is what it says it is.
//
// A block tagged `js` parses; one tagged `js run` (or `mjs run`) is a whole program, is run, and must end by itself
// with exit code 0. Where a block tagged `text output` follows, that is what the program prints. Endpoints at the ports
// 5550 to 5559 of 127.0.0.1, which readers can remember, are replaced by free ones.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const vm = require('node:vm');
const { freshEndpoint } = require('../support/endpoints');
const { ROOT, runNode } = require('../support/programs');

const DOCUMENTS = ['.', 'docs'].flatMap((folder) =>
  fs
    .readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name)),
);

/** Where programs are saved to be run. It lies within the package, so that they can require it by its name. */
const PROGRAMS = path.join(ROOT, 'target', 'documents');

const FENCED = /^```([^\n]*)\n([\s\S]*?)^```$/gm;

function read(file) {
  return fs.readFileSync(path.join(ROOT, file), 'utf8');
}

function prose(text) {
  return text.replace(FENCED, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors that GitHub gives the headings of a document. */
function anchorsOf(text) {
  const seen = new Map();
  return [...text.replace(FENCED, '').matchAll(/^#+ +(.*)$/gm)].map(([, title]) => {
    const slug = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

const { files: PACKED } = JSON.parse(read('package.json'));

/** Whether a path is in the npm package. @param {string} file relative to the root */
function isPacked(file) {
  return PACKED.some((/** @type {string} */ name) => file === name || file.startsWith(`${name}/`));
}

function fault(file, target) {
  const [name, anchor] = target.split('#');
  const full = name === '' ? path.join(ROOT, file) : path.join(ROOT, path.dirname(file), name);
  if (!fs.existsSync(full)) return `${target}: no such file`;
  if (isPacked(file) && !isPacked(path.relative(ROOT, full))) return `${target}: not in the npm package`;
  if (anchor === undefined) return undefined;
  return anchorsOf(fs.readFileSync(full, 'utf8')).includes(anchor) ? undefined : `${target}: no such heading`;
}

/** The program with free endpoints in the place of those that readers can remember, ports 5550 to 5559. */
function withFreeEndpoints(code) {
  const free = new Map();
  return code.replace(/tcp:\/\/127\.0\.0\.1:555\d/g, (endpoint) => {
    if (!free.has(endpoint)) free.set(endpoint, freshEndpoint('tcp'));
    return free.get(endpoint);
  });
}

/** @param {string} name @param {string} program @returns {string} the path where it was saved */
function save(name, program) {
  const saved = path.join(PROGRAMS, name);
  fs.mkdirSync(PROGRAMS, { recursive: true });
  fs.writeFileSync(saved, program);
  return saved;
}

/** @returns {{ line: number, tag: string, code: string, output: string | undefined }[]} */
function programsIn(text) {
  const blocks = [...text.matchAll(FENCED)];
  return blocks.flatMap(([, tag, code], index) => {
    if (!/^m?js( |$)/.test(tag)) return [];
    const line = text.slice(0, blocks[index].index).split('\n').length;
    const next = blocks[index + 1];
    return [{ line, tag, code, output: next?.[1] === 'text output' ? next[2] : undefined }];
  });
}

for (const file of DOCUMENTS) {
  describe(file, () => {
    const text = read(file);

    test('relative links lead somewhere', () => {
      const targets = [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
      const relative = targets.filter((target) => !/^[a-z]+:/.test(target));
      const faults = relative.map((target) => fault(file, target)).filter((each) => each !== undefined);
      assert.deepEqual(faults, []);
    });

    for (const { line, tag, code, output } of programsIn(text)) {
      if (tag === 'js') {
        test(`the code in line ${line} parses`, () => {
          new vm.Script(`(async () => {\n${code}\n})`, { filename: file, lineOffset: line - 1 });
        });
        continue;
      }
      test(`the program in line ${line} runs`, async () => {
        assert.match(tag, /^m?js run$/);
        const name = `${path.basename(file, '.md')}-${line}.${tag.startsWith('m') ? 'mjs' : 'js'}`;
        const saved = save(name, withFreeEndpoints(code));
        const result = await runNode([saved]);
        assert.deepEqual([result.code, result.stderr], [0, ''], result.stdout);
        if (output !== undefined) assert.equal(result.stdout, output);
      });
    }
  });
}

test('the index of the documentation has every page', () => {
  const index = read('docs/README.md');
  const pages = fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  const missing = pages.filter((name) => name !== 'README.md' && !index.includes(`](${name})`));
  assert.deepEqual(missing, []);
});

test('the example of streams in the README survives a missing file on both sides', async () => {
  const blocks = programsIn(read('README.md'));
  const example = blocks.find(({ code }) => code.includes('pipeline('));
  assert.ok(example, 'the README has an example of streams');
  const program = `
    const fs = require('node:fs');
    const { pipeline } = require('node:stream/promises');
    const { Broker, Client, Worker } = require('zmq-omdp');
    async function main() {
      const endpoint = 'tcp://127.0.0.1:5555';
      const pathOf = (name) => \`\${__dirname}/no-such-folder/\${name}\`;
      const broker = new Broker(endpoint);
      const worker = new Worker(endpoint, 'file');
      const client = new Client(endpoint);
      await Promise.all([broker.start(), worker.start(), client.start()]);
      process.chdir(fs.mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'omdp-readme-')));
      ${example?.code}
      console.log('worker:', (await worker.stats()).running);
      await Promise.all([client.stop(), worker.stop(), broker.stop()]);
      fs.rmSync(process.cwd(), { recursive: true });
    }
    main();`;
  const result = await runNode([save('README-streams.js', withFreeEndpoints(program))]);
  assert.deepEqual(result, { code: 0, signal: null, stdout: 'worker: 0\n', stderr: 'no copy: ENOENT\n' });
});

describe('docs/api.md and index.d.ts', () => {
  const types = read('index.d.ts');
  const api = ['api', 'security', 'services'].map((name) => read(`docs/${name}.md`)).join('\n');
  const said = new Set([...api.matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => code.match(/\w+/g) ?? []));
  const blocks = [...types.matchAll(/^(?:export |declare )+(?:interface|class) (\w+)[\s\S]*?^}$/gm)];
  /** What every EventEmitter has, with better types. */
  const inherited = /^(on|once|off|emit|(add|remove|prepend|prependOnce)Listener|read|constructor)$/;

  for (const [block, name] of blocks) {
    test(`every member of ${name} is documented`, () => {
      const members = [...block.matchAll(/^ {2}(?:readonly )?([a-z]\w*)\??[:(<]/gm)].map(
        ([, member]) => member,
      );
      assert.deepEqual(
        members.filter((member) => !inherited.test(member) && !said.has(member)),
        [],
      );
    });
  }

  test('every function and class is documented', () => {
    const names = [...types.matchAll(/^export (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
    assert.ok(names.length >= 8);
    assert.deepEqual(
      names.filter((name) => !said.has(name)),
      [],
    );
  });

  for (const [file, heading] of [
    ['docs/errors.md', /^## Codes$/m],
    ['docs/migrating.md', /^## Error codes$/m],
  ]) {
    test(`${file} lists the codes that index.d.ts lists`, () => {
      const union = types.match(/^export type ErrorCode =\n([\s\S]*?);$/m)?.[1] ?? '';
      const typed = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code);
      const [, section] = read(file).split(heading);
      const cells = [...section.split(/^## /m)[0].matchAll(/^\|(.*?)\|/gm)].map(([, cell]) => cell);
      const listed = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code));
      assert.ok(typed.length > 9, `${typed.length}`);
      assert.deepEqual(listed.sort(), typed.sort());
    });
  }

  test('every option, event and method of docs/api.md has a type', () => {
    const members = new Set(
      [...types.matchAll(/^ {2}(?:readonly )?([a-z]\w*)\??[:(<]/gm)].map(([, name]) => name),
    );
    const text = read('docs/api.md');
    const methods = [...text.matchAll(/^### .*`/gm)].flatMap(([title]) =>
      [...title.matchAll(/`\w+\.(\w+)/g)].map(([, method]) => method),
    );
    const tables = [...text.matchAll(/^\| (?:option|event) \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/gm)];
    const rows = tables.flatMap(([, table]) => table.trimEnd().split('\n'));
    const cells = rows.flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)`/g)].map(([, name]) => name));
    assert.ok(methods.length > 15 && cells.length > 30, `${methods.length} ${cells.length}`);
    assert.deepEqual(
      [...methods, ...cells].filter((name) => !members.has(name)),
      [],
    );
  });
});
