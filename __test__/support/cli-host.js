'use strict';
// A process that runs command lines one after the other, for as long as the process that started it lives: those that
// end by themselves and read no input. A process for each would cost a hundred times as much.
const path = require('node:path');

const FOLDER = path.join(__dirname, '..', '..', 'lib', 'cli');

for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);
process.on('disconnect', () => process.exit());

/** The modules of the command line anew, because some keep what they have read. */
function load() {
  for (const file of Object.keys(require.cache)) if (file.startsWith(FOLDER)) delete require.cache[file];
  return require(path.join(FOLDER, 'main.js'));
}

process.on('message', async ({ args, env }) => {
  const before = { ...process.env };
  Object.assign(process.env, env);
  const streams = [process.stdout, process.stderr].map((stream) => {
    const { write } = stream;
    const said = [];
    stream.write = (chunk, ...rest) => {
      said.push(chunk);
      const done = rest.at(-1);
      if (typeof done === 'function') process.nextTick(done);
      return true;
    };
    return { stream, write, said };
  });
  process.exitCode = undefined;
  await load().main(args);
  for (const { stream, write } of streams) stream.write = write;
  for (const name of Object.keys(env)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  const [out, err] = streams.map(({ said }) => said.join(''));
  const lines = err === '' ? [] : err.trimEnd().split('\n');
  process.send({ code: process.exitCode ?? 0, out, lines });
  process.exitCode = 0;
});
