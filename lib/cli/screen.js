'use strict';
// The screen of a command that shows a table until it is ended.

const { cut } = require('./output');

/** Switches to the alternate screen without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
/** Moves the cursor to the top left and clears the screen below it. */
const HOME = '\x1b[H\x1b[J';
/** Moves the cursor to the second line, and clears it. */
const SECOND = '\x1b[2;1H\x1b[2K';

const CTRL_C = '\x03';
const CTRL_Z = '\x1a';

/** The alternate screen of a terminal. Ctrl-Z leaves it until the process continues. */
class Screen {
  #onQuit;
  #isOpen = false;
  #shown = '';
  #note = '';
  #stopped = () => this.#suspend(process.pid);
  #continued = () => this.#draw();

  /** @param {() => void} onQuit called at q or Ctrl-C */
  constructor(onQuit) {
    this.#onQuit = onQuit;
    // In raw mode these are keys.
    if (process.stdin.isTTY) process.stdin.on('data', (keys) => this.#onKeys(String(keys)));
    if (process.platform !== 'win32') {
      process.on('SIGTSTP', this.#stopped);
      process.on('SIGCONT', this.#continued);
    }
    this.#open();
  }

  /** @param {string} text lines no wider than the terminal, of which the second is empty */
  show(text) {
    this.#shown = text;
    this.#note = '';
    this.#draw();
  }

  /** Adds a line to what is shown. @param {string} text */
  note(text) {
    this.#note = text;
    this.#draw();
  }

  end() {
    process.off('SIGTSTP', this.#stopped);
    process.off('SIGCONT', this.#continued);
    this.#close();
    process.stdin.pause();
  }

  /** @param {string} keys */
  #onKeys(keys) {
    if (keys.includes('q') || keys.includes(CTRL_C)) this.#onQuit();
    // The terminal would stop all processes of the command, such as npx and this one.
    else if (keys.includes(CTRL_Z) && process.platform !== 'win32') this.#suspend(0);
  }

  #draw() {
    this.#open();
    const { columns = Number.POSITIVE_INFINITY } = process.stdout;
    const note = this.#note === '' ? '' : SECOND + cut(this.#note, columns);
    process.stdout.write(HOME + this.#shown + note);
  }

  #open() {
    // A shell changes the mode of the terminal while the process is stopped.
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    if (!this.#isOpen) process.stdout.write(ENTER);
    this.#isOpen = true;
  }

  #close() {
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    if (this.#isOpen) process.stdout.write(LEAVE);
    this.#isOpen = false;
  }

  /** Stops the process; it continues here. @param {number} pid of the process, or 0 for its group */
  #suspend(pid) {
    this.#close();
    // Without a listener the signal stops the process.
    process.off('SIGTSTP', this.#stopped);
    process.kill(pid, 'SIGTSTP');
    process.on('SIGTSTP', this.#stopped);
  }
}

exports.Screen = Screen;
