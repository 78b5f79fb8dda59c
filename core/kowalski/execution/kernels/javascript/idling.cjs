'use strict';
// The moment when nothing keeps the event loop alive, which Node tells with `beforeExit`.

// The program may put another in its place.
const { queueMicrotask } = globalThis;

/** Calls `idle` after the program's own listeners, which may begin something more. */
class Idling {
  constructor(idle) {
    this.before = Infinity;
    this.first = () => {
      this.before = process.getActiveResourcesInfo().length;
    };
    this.last = () => idle();
    this.added = (name) => {
      if (name === 'beforeExit') queueMicrotask(() => this.listen());
    };
  }

  /** Whether one of the program's listeners has just begun something. */
  hasMore() {
    const more = process.getActiveResourcesInfo().length > this.before;
    this.before = Infinity;
    return more;
  }

  /** Listen before and after all others. */
  listen() {
    if (!process.listeners('newListener').includes(this.added)) process.on('newListener', this.added);
    const found = process.listeners('beforeExit');
    if (found[0] === this.first && found[found.length - 1] === this.last) return;
    for (const one of [this.first, this.last]) process.removeListener('beforeExit', one);
    process.prependListener('beforeExit', this.first);
    process.on('beforeExit', this.last);
  }
}

module.exports = { Idling };
