'use strict';
// Frames to and from the agent. Node keeps both descriptors from the processes that it starts.

const { fstat, writeSync } = require('fs');
const { reader } = require('./reading.cjs');

const exit = process.reallyExit.bind(process);
const READING = 3;
const WRITING = 4;
const READ_BYTES = 65536;
const SHORT_BYTES = 4096;
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
    this.buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.start = 0;
    this.end = 0;
    this.reading = false;
    this.held = [];
    this.reader = reader(READING, (piece) => this.#take(piece));
    // What the present frame's way here is among the things that the program has going on.
    this.ending = undefined;
  }

  /** Have a frame told with the next one. Its first field is text. */
  hold(kind, first, ...others) {
    let header = `${kind} ${Buffer.byteLength(first)}`;
    for (const field of others) header += ` ${Buffer.byteLength(field)}`;
    // A program may put another method in the place of an array's own.
    const { held } = this;
    held[held.length] = Buffer.from(`${header}\n${first}`);
    for (const field of others) held[held.length] = typeof field === 'string' ? Buffer.from(field) : field;
  }

  send(kind, ...fields) {
    this.hold(kind, ...fields);
    this.flush();
  }

  /** Tell what was held. */
  flush() {
    const { held } = this;
    this.held = [];
    writeAll(WRITING, held.length === 1 ? held[0] : Buffer.concat(held));
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
    if (this.start === this.end) this.start = this.end = 0;
    if (this.end + piece.length > this.buffer.length) {
      const held = this.buffer.subarray(this.start, this.end);
      const size = Math.max(READ_BYTES, 2 * (held.length + piece.length));
      this.buffer = Buffer.allocUnsafeSlow(size);
      this.end = held.copy(this.buffer);
      this.start = 0;
    }
    this.end += piece.copy(this.buffer, this.end);
  }

  #parsed() {
    const { buffer, start, end } = this;
    if (start === end) return null;
    // One step for all of it where that is short, and each of its characters a byte.
    const text = end - start > SHORT_BYTES ? '' : buffer.utf8Slice(start, end);
    const isPlain = text.length === end - start;
    const line = isPlain ? text.indexOf('\n') : buffer.subarray(start, end).indexOf(10);
    if (line < 0) return null;
    const [kind, ...lengths] = (isPlain ? text.slice(0, line) : buffer.latin1Slice(start, start + line)).split(' ');
    const fields = [];
    let at = line + 1;
    for (const length of lengths) {
      const next = at + Number(length);
      if (start + next > end) return null;
      fields[fields.length] = isPlain ? text.slice(at, next) : buffer.utf8Slice(start + at, start + next);
      at = next;
    }
    this.start += at;
    if (this.start === end && buffer.length > READ_BYTES) this.buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    return [kind, fields];
  }
}

module.exports = { Channel, elsewhere, writeAll };
