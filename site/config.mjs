// The documentation site: VitePress over the Markdown of the repository, staged by scripts/site.js. The menu is the index
// of the documentation, docs/README.md.
import fs from 'node:fs';
import { defineConfig } from 'vitepress';

/** As GitHub does it, so that anchors are the same in both places. */
function slugify(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function sidebar() {
  const index = fs.readFileSync('src/docs/index.md', 'utf8');
  const [, ...sections] = index.split(/^## /m);
  return sections.map((section) => ({
    text: section.split('\n')[0],
    items: [...section.matchAll(/^- \[(.*?)\]\((.*?)\.md\)/gm)].map(([, text, name]) => ({
      text,
      link: new URL(name, 'http://site/docs/').pathname,
    })),
  }));
}

export default defineConfig({
  title: 'zmq-omdp',
  description: 'Services for Node.js over ZeroMQ',
  base: process.env.SITE_BASE ?? '/',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  cleanUrls: true,
  markdown: { anchor: { slugify }, html: false },
  themeConfig: {
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          searchOptions: {
            fuzzy: 0.2,
            prefix: true,
            boost: { title: 4, text: 2, titles: 1 },
            // The pages for users go before the changelog, the specification and sources.
            boostDocument: (id) => (id.includes('/docs/') ? 3 : 1),
          },
        },
      },
    },
    outline: [2, 3],
    nav: [
      { text: 'Documentation', link: '/docs/' },
      { text: 'API', link: '/docs/api' },
      { text: 'Changelog', link: '/CHANGELOG' },
    ],
    sidebar: sidebar(),
  },
});
