// The documentation site: VitePress over the Markdown of the repository, staged by scripts/site.js.
import { defineConfig } from 'vitepress';

/** As GitHub does it, so that anchors are the same in both places. */
function slugify(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

const page = (text, link) => ({ text, link });

export default defineConfig({
  title: 'zmq-omdp',
  description: 'Services for Node.js over ZeroMQ',
  base: process.env.SITE_BASE ?? '/',
  cleanUrls: true,
  markdown: { anchor: { slugify }, html: false },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [page('Tutorial', '/docs/tutorial'), page('API', '/docs/api'), page('Changelog', '/CHANGELOG')],
    sidebar: [
      { text: 'Start', items: [page('Overview', '/'), page('Tutorial', '/docs/tutorial')] },
      {
        text: 'Guides',
        items: [
          page('Broker', '/docs/broker'),
          page('Worker', '/docs/worker'),
          page('Client', '/docs/client'),
          page('Cookbook', '/docs/cookbook'),
          page('Security', '/docs/security'),
          page('Monitoring', '/docs/monitoring'),
          page('Standard Majordomo peers', '/docs/mdp'),
          page('Runtimes and tools', '/docs/runtimes'),
          page('Migrating from 0.0.92', '/docs/migrating'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('API', '/docs/api'),
          page('Errors', '/docs/errors'),
          page('Command line', '/docs/cli'),
          page('Protocol', '/PROTOCOL'),
          page('Changelog', '/CHANGELOG'),
        ],
      },
      {
        text: 'Explanation',
        items: [
          page('Choosing', '/docs/choosing'),
          page('Performance', '/docs/performance'),
          page('Threat model', '/docs/threat-model'),
          page('Architecture', '/ARCHITECTURE'),
          page('Contributing', '/CONTRIBUTING'),
        ],
      },
    ],
  },
});
