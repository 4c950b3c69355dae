'use strict';
// What a user of a terminal sees of `top`.
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { until } = require('../support/events');
const { peersFor } = require('../support/peers');

const BIN = path.join(__dirname, '..', '..', 'bin', 'zmq-omdp.js');

/** A terminal of a size, and what runs in it. */
function terminalFor(t, width, height) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-tmux-'));
  const tmux = (...args) =>
    execFileSync('tmux', ['-u', '-S', path.join(folder, 'socket'), ...args], { encoding: 'utf8' });
  t.after(() => {
    spawnSync('tmux', ['-S', path.join(folder, 'socket'), 'kill-server']);
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return {
    run: (command) =>
      tmux('-f', '/dev/null', 'new-session', '-d', '-x', `${width}`, '-y', `${height}`, command),
    keys: (...keys) => tmux('send-keys', ...keys),
    resize: (x, y) => tmux('resize-window', '-x', `${x}`, '-y', `${y}`),
    shown: () => tmux('capture-pane', '-p'),
  };
}

/** The command line of `top`. */
const top = ({ endpoint }, ...args) =>
  `'${process.execPath}' '${BIN}' top --interval 100 -b '${endpoint}' ${args.join(' ')}`;

/** A wide character takes two columns, a mark none. */
const columns = (line) => [...line].reduce((sum, c) => sum + (c > '\u2fff' ? 2 : c === '\u0301' ? 0 : 1), 0);

const noTmux = spawnSync('tmux', ['-V']).error !== undefined && 'tmux is not there';

describe('top, in a terminal', { skip: noTmux }, () => {
  test('until q', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio();
    const terminal = terminalFor(t, 110, 24);
    terminal.run(`${top(peers)}; echo "left $?"; sleep 60`);
    await until(() => /SERVICE +PER SECOND(?:.|\n)*\nservice +0/.test(terminal.shown()));
    terminal.keys('q');
    await until(() => /left 0/.test(terminal.shown()));
    assert.doesNotMatch(terminal.shown(), /SERVICE/);
  });

  test('it keeps to the width, whatever names are long or wide', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { client } = await peers.trio();
    const long = 'n'.repeat(255);
    for (const service of [long, '日本語', 'e\u0301t\u0301'])
      await peers.worker((data, reply) => reply.end(data), { service }).start();
    await client.call(long, 1);
    const terminal = terminalFor(t, 80, 24);
    terminal.run(top(peers));
    const lines = await until(() => {
      const shown = terminal.shown().split('\n');
      return shown.some((line) => line.startsWith('日本語')) && shown;
    });
    // All columns are there, and of names enough to tell them apart.
    assert.match(lines[2], /^SERVICE +PER S +FAIL +WAIT +OLDEST +RUN +WORK +IDLE +MEDIAN +99 %$/);
    const rows = lines.filter((line) => line.includes(' ms'));
    assert.equal(rows.length, 4);
    assert.match(
      rows.find((line) => line.startsWith('n')),
      /^n{11,}… /,
    );
    for (const row of rows) assert.equal(columns(row), columns(lines[2]), row);
    terminal.resize(40, 8);
    await until(() => {
      const shown = terminal.shown().split('\n');
      return (
        shown[2]?.startsWith('SERVICE') && shown.every((line) => columns(line) <= 40 && !/….*…/.test(line))
      );
    });
  });

  test('after --count the last table stays', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio();
    const terminal = terminalFor(t, 80, 24);
    terminal.run(`${top(peers, '--count', '1')}; echo "left $?"; sleep 60`);
    await until(() => /left 0/.test(terminal.shown()));
    assert.match(terminal.shown(), /\nSERVICE(?:.|\n)*\nservice +0\.0(?:.|\n)*\nleft 0/);
  });

  test('that the broker is gone takes one line, and hides nothing', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { broker } = await peers.trio();
    const terminal = terminalFor(t, 60, 10);
    terminal.run(top(peers, '-t', '500'));
    await until(() => /\nservice +0/.test(terminal.shown()));
    await broker.stop();
    const [head, note, titles, row] = await until(() => {
      const lines = terminal.shown().split('\n');
      return lines[1].startsWith('C_TIMEOUT') && lines;
    });
    assert.match(head, /waiting/);
    assert.match(note, /^C_TIMEOUT: the broker does not answer: .*…$/);
    assert.match(`${titles}\n${row}`, /^SERVICE .*\nservice /);
  });

  test('Ctrl-Z stops it until fg', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio();
    const terminal = terminalFor(t, 80, 24);
    terminal.run('env PS1=ready: ENV= sh');
    await until(() => /ready:/.test(terminal.shown()));
    terminal.keys(top(peers), 'Enter');
    await until(() => /\nservice +0/.test(terminal.shown()));
    terminal.keys('C-z');
    await until(() => /ready:$/.test(terminal.shown().trimEnd()));
    terminal.keys('stty -a | tr -s " ;" "\\n" | grep -x icanon', 'Enter');
    await until(() => /^icanon/m.test(terminal.shown()));
    terminal.keys('fg', 'Enter');
    await until(() => /\nservice +0/.test(terminal.shown()));
    terminal.keys('q');
    await until(() => /ready:$/.test(terminal.shown().trimEnd()));
  });
});
