'use strict';
// The platform of this machine, as the platform packages name it.
const fs = require('node:fs');

const ABI = { glibc: '-gnu', musl: '-musl' };

/** @returns {'glibc' | 'musl'} */
function libcOfHost() {
  // Deno and Bun may have none. `excludeNetwork` is missing in the types of Node.js 20.
  const report = /** @type {(NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined} */ (
    process.report
  );
  if (report) {
    // Otherwise it resolves the addresses of open connections, which may take seconds.
    const { excludeNetwork } = report;
    report.excludeNetwork = true;
    const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (report.getReport());
    report.excludeNetwork = excludeNetwork;
    return header.glibcVersionRuntime ? 'glibc' : 'musl';
  }
  try {
    return fs.readFileSync('/usr/bin/ldd', 'utf8').includes('musl') ? 'musl' : 'glibc';
  } catch {
    return 'glibc';
  }
}

/** @param {string} platform @param {'glibc' | 'musl' | null} libc */
function abiOf(platform, libc) {
  if (libc) return ABI[libc];
  return platform === 'win32' ? '-msvc' : '';
}

module.exports = { libcOfHost, abiOf };
