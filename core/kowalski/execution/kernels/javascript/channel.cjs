'use strict';
// Frames to and from the agent. Node keeps both descriptors from the processes that it starts.

const { fstat, read, writeSync } = require('fs');

const { setTimeout } = globalThis;
const exit = process.reallyExit.bind(process);
const READING = 3;
const WRITING = 4;
const READ_BYTES = 65536;
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
    this.incoming = Buffer.allocUnsafeSlow(READ_BYTES);
  }

  send(kind, ...fields) {
    const bodies = fields.map((field) => (typeof field === 'string' ? Buffer.from(field) : field));
    const header = [kind, ...bodies.map((body) => body.length)].join(' ') + '\n';
    writeAll(WRITING, Buffer.concat([Buffer.from(header, 'latin1'), ...bodies]));
  }

  /** Call `hear(kind, fields)` with the next frame. Ends the process when the agent has gone. */
  receive(hear) {
    if (this.reading) return;
    const frame = this.#parsed();
    if (frame) {
      elsewhere(() => hear(...frame));
      return;
    }
    this.reading = true;
    read(READING, this.incoming, 0, READ_BYTES, null, (error, count) => {
      this.reading = false;
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.receive(hear), 1);
        return;
      }
      if (error || count === 0) exit(0);
      this.#keep(count);
      const whole = this.#parsed();
      if (whole) hear(...whole);
      else this.receive(hear);
    });
  }

  #keep(count) {
    if (this.end + count > this.buffer.length) {
      const held = this.buffer.subarray(this.start, this.end);
      const size = Math.max(READ_BYTES, 2 * (held.length + count));
      this.buffer = Buffer.allocUnsafeSlow(size);
      this.end = held.copy(this.buffer);
      this.start = 0;
    }
    this.end += this.incoming.copy(this.buffer, this.end, 0, count);
  }

  #parsed() {
    const held = this.buffer.subarray(this.start, this.end);
    const end = held.indexOf(10);
    if (end < 0) return null;
    const [kind, ...lengths] = held.latin1Slice(0, end).split(' ');
    let at = end + 1;
    if (held.length < lengths.reduce((sum, length) => sum + Number(length), at)) return null;
    const fields = lengths.map((length) => {
      const start = at;
      at += Number(length);
      return held.utf8Slice(start, at);
    });
    this.start += at;
    if (this.start === this.end && this.buffer.length > READ_BYTES) {
      this.buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      this.start = this.end = 0;
    }
    return [kind, fields];
  }
}

module.exports = { Channel, elsewhere, writeAll };
