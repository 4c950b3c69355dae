'use strict';
// The scripts by which shells complete the command line.

/** @typedef {{ long: string, short?: string, takesValue: boolean, words: readonly string[], isFile: boolean }} Flag */
/** A command: its flags, the words that may be its argument, and whether that is a file. */
/** @typedef {{ flags: Flag[], words: string[], takesFile: boolean }} Command */
/** @typedef {Record<string, Command>} Described */

/** @param {Command} command @returns {string} */
function longFlags({ flags }) {
  return flags.map(({ long }) => `--${long}`).join(' ');
}

/**
 * The patterns of a `case` for flags that take values.
 * @param {Described} commands
 * @param {(flag: Flag) => string | undefined} answerTo what to do after the flag
 * @returns {string}
 */
function casesFor(commands, answerTo) {
  /** @type {Map<string, string[]>} */
  const patterns = new Map();
  for (const [name, { flags }] of Object.entries(commands)) {
    for (const flag of flags.filter(({ takesValue }) => takesValue)) {
      const answer = answerTo(flag);
      if (answer === undefined) continue;
      const written = [`--${flag.long}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
      const known = patterns.get(answer) ?? [];
      patterns.set(answer, [...known, ...written.map((each) => `${name}:${each}`)]);
    }
  }
  return [...patterns].map(([answer, each]) => `    ${each.join('|')})\n      ${answer} ;;\n`).join('');
}

/** @param {Described} commands */
function bash(commands) {
  const values = casesFor(commands, ({ isFile, words }) => {
    if (words.length > 0) return `COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$word")); return`;
    // Without an answer bash completes files, unless it is told not to.
    return isFile ? 'return' : 'compopt +o default 2>/dev/null; return';
  });
  const own = Object.entries(commands).map(([name, command]) => {
    const positional = command.words.length > 0 ? command.words.join(' ') : '';
    const isOpen = command.words.length === 0 && !command.takesFile;
    const flags = `COMPREPLY=($(compgen -W "${longFlags(command)}" -- "$word"))`;
    if (isOpen) return `    ${name}) ${flags} ;;\n`;
    const words = `COMPREPLY=($(compgen -W "${positional}" -- "$word"))`;
    return `    ${name}) if [[ $word == -* ]]; then ${flags}; else ${words}; fi ;;\n`;
  });
  return `_zmq_omdp() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" at
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${Object.keys(commands).join(' ')} --help --version" -- "$word"))
    return
  fi
  for (( at = 2; at < COMP_CWORD; at++ )); do
    if [ "\${COMP_WORDS[at]}" = -- ]; then return; fi
  done
  # In --flag=value the sign is a word.
  if [ "$word" = = ]; then
    word=
  elif [ "$before" = = ]; then
    before="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  case "\${COMP_WORDS[1]}:$before" in
${values}  esac
  case "\${COMP_WORDS[1]}" in
${own.join('')}  esac
}
complete -o default -F _zmq_omdp zmq-omdp
`;
}

/** @param {Described} commands */
function zsh(commands) {
  const values = casesFor(commands, ({ isFile, words }) => {
    if (words.length > 0) return `compadd -- ${words.join(' ')}; return`;
    return isFile ? '_files; return' : 'return';
  });
  const own = Object.entries(commands).map(([name, command]) => {
    const flags = `compadd -- ${longFlags(command)}`;
    if (command.words.length === 0 && !command.takesFile) return `    ${name}) ${flags} ;;\n`;
    const positional = command.takesFile ? '_files' : `compadd -- ${command.words.join(' ')}`;
    return `    ${name}) if [[ $PREFIX == -* ]]; then ${flags}; else ${positional}; fi ;;\n`;
  });
  return `#compdef zmq-omdp
_zmq_omdp() {
  local before="$words[CURRENT-1]"
  if (( CURRENT == 2 )); then
    compadd -- ${Object.keys(commands).join(' ')} --help --version
    return
  fi
  if (( \${words[(i)--]} < CURRENT )); then
    _files
    return
  fi
  if [[ $PREFIX == --*=* ]]; then
    before="\${PREFIX%%=*}"
    compset -P '*='
  fi
  case "$words[2]:$before" in
${values}  esac
  case "$words[2]" in
${own.join('')}  esac
}
compdef _zmq_omdp zmq-omdp
`;
}

/** @param {Described} commands */
function fish(commands) {
  const lines = Object.entries(commands).flatMap(([name, { flags, words, takesFile }]) => {
    // Not anywhere in the line, where a service may have the name of a command.
    const start = `complete -c zmq-omdp -n 'contains -- ${name} (commandline -opc)[2]'`;
    const ofFlags = flags.map(({ long, short, takesValue, words: values, isFile }) => {
      const names = short === undefined ? `-l ${long}` : `-s ${short} -l ${long}`;
      if (!takesValue) return `${start} ${names}`;
      if (values.length > 0) return `${start} ${names} -x -a '${values.join(' ')}'`;
      return `${start} ${names} ${isFile ? '-r -F' : '-x'}`;
    });
    return [
      `complete -c zmq-omdp -n __fish_use_subcommand -f -a ${name}`,
      ...ofFlags,
      ...words.map((word) => `${start} -f -a ${word}`),
      ...(takesFile || name === 'worker' ? [`${start} -F`] : []),
    ];
  });
  return `complete -c zmq-omdp -f\n${lines.join('\n')}\n`;
}

/** @type {Record<string, (commands: Described) => string>} */
const SHELLS = { bash, zsh, fish };

exports.SHELLS = SHELLS;
