'use strict';

const { Usage } = require('./failure');
const { kebab } = require('./names');
const { readSettings } = require('./settings');

/** @typedef {Record<string, () => { options?: Record<string, { from?: string[] }> }>} Commands */

const help = `Usage: zmq-omdp completion bash|zsh|fish

Prints a script that completes commands and options:

  bash   zmq-omdp completion bash > /etc/bash_completion.d/zmq-omdp
  zsh    zmq-omdp completion zsh > "\${fpath[1]}/_zmq-omdp"
  fish   zmq-omdp completion fish > ~/.config/fish/completions/zmq-omdp.fish
`;

/**
 * @param {Commands} commands
 * @returns {Record<string, string[]>} the flags and words of each command
 */
function flagsOf(commands) {
  return Object.fromEntries(
    Object.entries(commands).map(([name, load]) => {
      const options = Object.entries(load().options ?? {});
      const onLine = options.filter(([, { from }]) => from === undefined || from.includes('line'));
      const words = name === 'completion' ? Object.keys(SHELLS) : [];
      return [name, [...words, ...onLine.map(([option]) => `--${kebab(option)}`), '--help']];
    }),
  );
}

/** @type {Record<string, (flags: Record<string, string[]>) => string>} */
const SHELLS = {
  bash: (flags) => `_zmq_omdp() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${Object.keys(flags).join(' ')} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${Object.entries(flags)
  .map(([name, each]) => `    ${name}) COMPREPLY=($(compgen -W "${each.join(' ')}" -- "$word")) ;;`)
  .join('\n')}
  esac
}
complete -o default -F _zmq_omdp zmq-omdp
`,
  zsh: (flags) => `#compdef zmq-omdp
_zmq_omdp() {
  if (( CURRENT == 2 )); then
    compadd -- ${Object.keys(flags).join(' ')} --help --version
    return
  fi
  case "$words[2]" in
${Object.entries(flags)
  .map(([name, each]) => `    ${name}) compadd -- ${each.join(' ')} ;;`)
  .join('\n')}
  esac
  _files
}
compdef _zmq_omdp zmq-omdp
`,
  fish: (flags) =>
    Object.entries(flags)
      .flatMap(([name, each]) => [
        `complete -c zmq-omdp -n __fish_use_subcommand -f -a ${name}`,
        ...each.map((word) => {
          const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
          return `complete -c zmq-omdp -n '__fish_seen_subcommand_from ${name}' ${what}`;
        }),
      ])
      .join('\n')
      .concat('\n'),
};

/** @param {string[]} args @param {Commands} commands @returns {Promise<number>} */
async function run(args, commands) {
  const [shell, extra] = readSettings({}, args).positionals;
  if (shell === undefined || extra !== undefined || !Object.hasOwn(SHELLS, shell))
    throw new Usage('completion takes one of bash, zsh, fish');
  process.stdout.write(SHELLS[shell](flagsOf(commands)));
  return 0;
}

exports.help = help;
exports.options = {};
exports.run = run;
