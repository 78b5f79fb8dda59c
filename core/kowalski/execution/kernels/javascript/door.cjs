'use strict';
// The way into the program, on which an interrupt ends it.

const { Script } = require('vm');
const { define } = require('./surroundings.cjs');

class Door {
  constructor() {
    const door = Symbol.for('kowalski.enter');
    define(globalThis, door, () => this.entry());
    const enter = `globalThis[Symbol.for('${door.description}')]()`;
    this.script = new Script(enter, { filename: __filename });
  }

  /** Call `begin`, and what waits for its end. False if an interrupt ended it. */
  enter(begin) {
    this.entry = () => {
      begin();
      // What follows an `await` of nothing long is as interruptible as what precedes it.
      process._tickCallback();
    };
    try {
      this.script.runInThisContext({ breakOnSigint: true });
    } catch (error) {
      if (error?.code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
      return false;
    }
    return true;
  }
}

module.exports = { Door };
