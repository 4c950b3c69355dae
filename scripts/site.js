'use strict';
// `npm run docs:site`: builds the documentation as a site with search, from the same Markdown, into
// target/site/dist. VitePress is installed into site/ the first time. A link to a missing page or heading is
// an error.
//
// Every linked file becomes a page: Markdown unchanged, any other file as a block of code.
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./platforms.js');
const { npm, run } = require('./run.js');

const SITE = path.join(root, 'site');
const STAGE = path.join(root, 'target', 'site');
const DIST = path.join(STAGE, 'dist');
const FENCED = /^```[^\n]*\n[\s\S]*?^```$/gm;

/** @param {string} folder relative to the root @returns {string[]} */
function documentsIn(folder) {
  const names = fs.readdirSync(path.join(root, folder));
  return names.filter((name) => name.endsWith('.md')).map((name) => path.join(folder, name));
}

/** @type {Set<string>} */
const staged = new Set();

/** Stages a document and what it links to. @param {string} file */
function stage(file) {
  if (staged.has(file)) return;
  staged.add(file);
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  const kept = text.split(FENCED);
  const blocks = text.match(FENCED) ?? [];
  const linked = kept.map((prose) =>
    prose.replace(/\]\((?![a-z]+:|#)([^)#\s]+)/g, (link, target) => {
      const full = path.join(root, path.dirname(file), target);
      if (target.endsWith('.md')) {
        if (fs.existsSync(full)) stage(path.relative(root, full));
        return link.replace(/README\.md$/, 'index.md');
      }
      if (/\.(svg|png)$/.test(target)) {
        copy(path.relative(root, full));
        return link;
      }
      return `](${target.replace(/\/$/, '')}${stageCode(path.relative(root, full))}`;
    }),
  );
  write(
    file.replace(/README\.md$/, 'index.md'),
    linked.map((prose, index) => prose + (blocks[index] ?? '')).join(''),
  );
}

/**
 * Makes a page of a file, or of the list of a folder; returns the suffix of its links.
 * @param {string} file
 * @returns {string}
 */
function stageCode(file) {
  const full = path.join(root, file);
  if (fs.statSync(full).isFile()) {
    const kind = path.extname(file).slice(1).replace('mjs', 'js') || 'text';
    write(`${file}.md`, `# ${file}\n\n\`\`\`\`${kind}\n${fs.readFileSync(full, 'utf8')}\`\`\`\`\n`);
    return '.md';
  }
  const entries = fs.readdirSync(full).map((name) => {
    const end = stageCode(path.join(file, name));
    return `- [${name}](./${name}${end})`;
  });
  write(path.join(file, 'contents.md'), `# ${file}\n\n${entries.join('\n')}\n`);
  return '/contents.md';
}

/** @param {string} file @param {string} text */
function write(file, text) {
  const full = path.join(STAGE, 'src', file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, text);
}

/** @param {string} file */
function copy(file) {
  const full = path.join(STAGE, 'src', file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.copyFileSync(path.join(root, file), full);
}

/** @param {string} folder @returns {string[]} the pages, relative to DIST */
function pagesIn(folder = DIST) {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.html'));
}

/** The internal links of the site that lead nowhere. */
function deadLinks() {
  const pages = new Map(pagesIn().map((name) => [name, fs.readFileSync(path.join(DIST, name), 'utf8')]));
  /** @param {string} name */
  const idsOf = (name) =>
    new Set([...(pages.get(name) ?? '').matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const ids = new Map([...pages.keys()].map((name) => [name, idsOf(name)]));
  return [...pages].flatMap(([name, html]) =>
    [...html.matchAll(/<a [^>]*href="([^"]+)"/g)].flatMap(([, href]) => {
      if (/^[a-z]+:/.test(href)) return [];
      const { pathname, hash } = new URL(href, `http://site/${name.split(path.sep).join('/')}`);
      const target = `${decodeURI(pathname)
        .slice(1)
        .replace(/(^|\/)$/, '$1index')}.html`.replace('.html.html', '.html');
      const found = ids.get(path.normalize(target));
      const wanted = decodeURIComponent(hash.slice(1));
      return found && (wanted === '' || found.has(wanted)) ? [] : [`${name}: ${href}`];
    }),
  );
}

function main() {
  if (!fs.existsSync(path.join(SITE, 'node_modules', 'vitepress'))) {
    console.log('installing VitePress …');
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: SITE, progress: true });
  }
  fs.rmSync(STAGE, { recursive: true, force: true });
  for (const file of [...documentsIn('.'), ...documentsIn('docs')]) stage(file);
  write('.vitepress/config.mjs', fs.readFileSync(path.join(SITE, 'config.mjs'), 'utf8'));
  // VitePress resolves itself and its theme from the folder of the pages.
  fs.symlinkSync(path.join(SITE, 'node_modules'), path.join(STAGE, 'node_modules'), 'junction');
  const vitepress = path.join(SITE, 'node_modules', 'vitepress', 'bin', 'vitepress.js');
  run(process.execPath, [vitepress, 'build', 'src', '--outDir', DIST], { cwd: STAGE, progress: true });
  const dead = process.env.SITE_BASE ? [] : deadLinks();
  if (dead.length > 0) throw new Error(`dead links:\n${dead.join('\n')}`);
  console.log(`${path.relative(root, DIST)}: ${pagesIn().length} pages, no dead link`);
}

main();
