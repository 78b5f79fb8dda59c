'use strict';
// Frames to and from the agent. Node keeps both descriptors from the processes that it starts.

const { fstat, writeSync } = require('fs');
const { reader } = require('./reading.cjs');

const exit = process.reallyExit.bind(process);
const READING = 3;
const WRITING = 4;
const NOTHING = Buffer.alloc(0);
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Write all of `data`, waiting where a pipe is full. */
function writeAll(fd, data) {
  let at = 0;
  while (at < data.length) {
    try {
      at += writeSync(fd, data, at);
    } catch (error) {
      // A child that shares the pipe may have made it non-blocking.
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/**
 * Call `then` soon, from a file operation's end: ending a program there, in the middle, leaves
 * Node's own queues as they were, which the ends of timers and immediates do not.
 */
function elsewhere(then) {
  fstat(READING, () => then());
}

/** Hears frames one at a time, and only when asked: a waiting read keeps the event loop alive. */
class Channel {
  constructor() {
    this.buffer = NOTHING;
    this.start = 0;
    this.end = 0;
    this.reading = false;
    this.held = [];
    this.reader = reader(READING, (piece) => this.#take(piece));
    // What the present frame's way here is among the things that the program has going on.
    this.ending = undefined;
  }

  /** Have a frame told with the next one. */
  hold(kind, ...fields) {
    const bodies = fields.map((field) => (typeof field === 'string' ? Buffer.from(field) : field));
    const header = [kind, ...bodies.map((body) => body.length)].join(' ') + '\n';
    this.held.push(Buffer.from(header, 'latin1'), ...bodies);
  }

  send(kind, ...fields) {
    this.hold(kind, ...fields);
    this.flush();
  }

  flush() {
    const data = Buffer.concat(this.held);
    this.held = [];
    writeAll(WRITING, data);
  }

  /** Call `hear(kind, fields)` with the next frame. Ends the process when the agent has gone. */
  receive(hear) {
    if (this.reading) return;
    const frame = this.#parsed();
    if (frame) this.again(hear, ...frame);
    else {
      this.reading = true;
      this.hear = hear;
      this.reader.next();
    }
  }

  /** Call `hear(kind, fields)` soon. */
  again(hear, kind, fields) {
    elsewhere(() => {
      this.ending = 'FSReqCallback';
      hear(kind, fields);
    });
  }

  #take(piece) {
    if (piece === null) exit(0);
    this.#keep(piece);
    const frame = this.#parsed();
    if (frame === null) {
      this.reader.next();
      return;
    }
    this.reading = false;
    this.ending = this.reader.ending;
    this.hear(...frame);
  }

  #keep(piece) {
    if (this.start === this.end) {
      this.buffer = piece;
      this.start = 0;
      this.end = piece.length;
      return;
    }
    if (this.end + piece.length > this.buffer.length) {
      const held = this.buffer.subarray(this.start, this.end);
      this.buffer = Buffer.allocUnsafeSlow(2 * (held.length + piece.length));
      this.end = held.copy(this.buffer);
      this.start = 0;
    }
    this.end += piece.copy(this.buffer, this.end);
  }

  #parsed() {
    const { buffer, start, end } = this;
    if (start === end) return null;
    const line = buffer.indexOf(10, start);
    if (line < 0 || line >= end) return null;
    const [kind, ...lengths] = buffer.latin1Slice(start, line).split(' ');
    let at = line + 1;
    for (const length of lengths) at += Number(length);
    if (at > end) return null;
    this.start = at;
    at = line + 1;
    const fields = lengths.map((length) => buffer.utf8Slice(at, (at += Number(length))));
    // A large frame's memory is not kept.
    if (this.start === end) {
      this.buffer = NOTHING;
      this.start = this.end = 0;
    }
    return [kind, fields];
  }
}

module.exports = { Channel, elsewhere, writeAll };
