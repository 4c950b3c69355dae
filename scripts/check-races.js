'use strict';
// `npm run check:races`: the lock-free parts of src/io on real threads under ThreadSanitizer. The sanitizer's runtime is
// part of Rust's toolchain; its flag is one of the unstable ones, which RUSTC_BOOTSTRAP permits. The standard library is
// not compiled for it, see models/src/sync.rs.
const { run, seconds } = require('./run.js');

const start = performance.now();
const host = run('rustc', ['-vV']).match(/^host: (.*)$/m)?.[1] ?? '';
const where = ['--manifest-path', 'models/Cargo.toml', '--target', host, '--target-dir', 'target/races'];
const env = {
  ...process.env,
  RUSTC_BOOTSTRAP: '1',
  RUSTFLAGS: '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer',
  TSAN_OPTIONS: 'halt_on_error=1',
};
const what = ['--no-default-features', '--features', 'threads', '--test', 'threads'];
const output = run('cargo', ['test', '--locked', ...where, ...what], { env, progress: true });
console.log(output.trim());
console.log(`✓ no data race (${seconds(start)})`);
