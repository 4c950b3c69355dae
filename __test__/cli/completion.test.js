'use strict';
// The scripts by which shells complete the command line.
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { balances } = require('../../lib/load');
const { cliEnd } = require('../support/cli');
const { until } = require('../support/events');

describe('completion', () => {
  for (const [shell, check] of [
    ['bash', ['bash', '-n']],
    ['zsh', ['zsh', '-n']],
    ['fish', ['fish', '--no-execute']],
  ]) {
    const missing = spawnSync(check[0], ['-c', 'true']).error !== undefined && `${shell} is not there`;
    test(`${shell} takes the script`, { skip: missing }, async (t) => {
      const { code, out } = await cliEnd(['completion', shell]);
      assert.equal(code, 0);
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-completion-'));
      t.after(() => fs.rmSync(folder, { recursive: true }));
      const file = path.join(folder, 'script');
      fs.writeFileSync(file, out);
      const { status, stderr } = spawnSync(check[0], [...check.slice(1), file], { encoding: 'utf8' });
      assert.deepEqual([status, stderr], [0, '']);
      for (const word of ['bench', 'max-queue-bytes', 'curve-server-key'])
        assert.ok(String(out).includes(word), word);
    });
  }

  test('bash completes a command and a flag', { skip: process.platform === 'win32' }, async (t) => {
    const { out } = await cliEnd(['completion', 'bash']);
    const complete = (words) => {
      const line = `COMP_WORDS=(zmq-omdp ${words}); COMP_CWORD=${words.split(' ').length}; _zmq_omdp; echo "\${COMPREPLY[*]}"`;
      return execFileSync('bash', ['-c', `${out}\n${line}`], { encoding: 'utf8' }).trim();
    };
    assert.equal(complete('pi'), 'ping');
    assert.equal(complete('bench --in'), '--in-flight');
    assert.equal(complete('completion z'), 'zsh');
    assert.equal(complete('completion '), 'bash zsh fish');
    assert.equal(complete('broker --log-format '), 'plain json');
    assert.equal(complete('broker --log-format = j'), 'json');
    assert.equal(complete('broker --versions '), 'highest all');
    assert.equal(complete('broker --dialects om'), 'omdp');
    assert.equal(complete('ls --discover '), 'one all');
    assert.equal(complete('request s -p mdp'), 'mdp/0.1 mdp/0.2 mdp/0.2-majortomo');
    assert.equal(complete('worker s --balance '), balances().join(' '));
    // -p is --public here.
    assert.match(complete('keys -p --f'), /--force/);
    // Without an answer bash completes files.
    for (const words of [
      'broker --config ',
      'broker -c ',
      'ls --plain-password-file ',
      'keys ',
      'worker s -- ',
    ])
      assert.equal(complete(words), '', words);
    assert.match(String(out), /^complete -o default /m);
  });

  const missing = (program) =>
    spawnSync(program, ['--version']).error !== undefined && `${program} is not there`;

  test('fish completes a command, a flag and a word', { skip: missing('fish') }, async (t) => {
    const { out } = await cliEnd(['completion', 'fish']);
    const complete = (words) => {
      const script = `${out}\ncomplete -C 'zmq-omdp ${words}'`;
      return execFileSync('fish', ['--no-config', '-c', script], { encoding: 'utf8' }).trim();
    };
    assert.equal(complete('pi'), 'ping');
    assert.equal(complete('bench --in'), '--in-flight');
    assert.equal(complete('completion z'), 'zsh');
    assert.deepEqual(complete('completion ').split('\n').sort(), ['bash', 'fish', 'zsh']);
    assert.equal(complete('broker --log-format j'), 'json');
    assert.equal(complete('request s -p omd'), 'omdp');
    assert.equal(complete('worker s --balance least'), 'least-loaded');
    assert.match(complete('broker --config package.js'), /package\.json/);
    assert.equal(complete('broker --max-queue '), '');
    // A service may have the name of a command.
    assert.equal(complete('info events --al'), '');
  });

  test('zsh completes a command and a flag', { skip: missing('zsh') || missing('tmux') }, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-zsh-'));
    const tmux = (...args) =>
      execFileSync('tmux', ['-S', path.join(folder, 'socket'), ...args], { encoding: 'utf8' });
    t.after(() => {
      spawnSync('tmux', ['-S', path.join(folder, 'socket'), 'kill-server']);
      fs.rmSync(folder, { recursive: true });
    });
    const { out } = await cliEnd(['completion', 'zsh']);
    fs.writeFileSync(path.join(folder, 'script'), out);
    tmux('-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '24', 'env TERM=screen PS1=ready: zsh -f');
    await until(() => /ready:/.test(tmux('capture-pane', '-p')));
    tmux(
      'send-keys',
      `cd '${folder}'; autoload -U compinit; compinit -D -u; . '${folder}/script'; clear; echo loaded`,
      'Enter',
    );
    await until(() => /^loaded/m.test(tmux('capture-pane', '-p')));
    tmux('send-keys', 'zmq-omdp pi', 'Tab');
    await until(() => /zmq-omdp ping\s/.test(tmux('capture-pane', '-p')));
    tmux('send-keys', 'C-u');
    tmux('send-keys', 'zmq-omdp bench --in', 'Tab');
    await until(() => /zmq-omdp bench --in-flight/.test(tmux('capture-pane', '-p')));
    for (const [typed, completed] of [
      ['completion f', /zmq-omdp completion fish\s/],
      ['broker --log-format j', /zmq-omdp broker --log-format json\s/],
      ['broker --log-format=j', /zmq-omdp broker --log-format=json\s/],
      ['worker s --balance least', /zmq-omdp worker s --balance least-loaded\s/],
      ['broker --config scri', /zmq-omdp broker --config script\s/],
    ]) {
      tmux('send-keys', 'C-u');
      tmux('send-keys', `zmq-omdp ${typed}`, 'Tab');
      await until(() => completed.test(tmux('capture-pane', '-p')));
    }
    // Only shells, and no files.
    tmux('send-keys', 'C-u');
    tmux('send-keys', 'clear', 'Enter');
    tmux('send-keys', 'zmq-omdp completion ', 'Tab');
    const shown = await until(
      () => /bash +fish +zsh/.test(tmux('capture-pane', '-p')) && tmux('capture-pane', '-p'),
    );
    assert.doesNotMatch(shown, /script|--help/);
  });
});
