'use strict';
// A program's standard streams: what it writes is written when `write` returns, and standard input
// is read from its start by each run.

const { ReadStream } = require('fs');
const { Console } = require('console');
const { Writable } = require('stream');
const { types } = require('util');
const { writeAll } = require('./channel.cjs');

class Streams {
  constructor() {
    this.muted = false;
    this.stdin = null;
    const stdout = lazily(() => this.#output(1));
    const stderr = lazily(() => this.#output(2));
    const input = () => (this.stdin ??= new ReadStream(null, { fd: 0, autoClose: false }));
    for (const [name, get] of Object.entries({ stdout, stderr, stdin: input })) {
      Object.defineProperty(process, name, { get, configurable: true, enumerable: true });
    }
    // The global console tells each message to the inspector too, which would keep them.
    const plain = new Console({ stdout: outlet(stdout), stderr: outlet(stderr) });
    for (const name of Object.keys(plain)) {
      if (typeof plain[name] === 'function' && name in console) console[name] = plain[name];
    }
  }

  /** A run begins: its input starts anew, and it is heard. */
  refresh() {
    this.muted = false;
    this.stdin?.destroy();
    this.stdin = null;
  }

  #output(fd) {
    const stream = new Writable();
    // Without the queue of a stream, which an interrupt in its midst would leave stuck.
    stream.write = (chunk, encoding, written) => {
      const then = typeof encoding === 'function' ? encoding : written;
      const data = typeof chunk === 'string' ? Buffer.from(chunk, textual(encoding)) : bytesOf(chunk);
      if (!this.muted) writeAll(fd, data);
      if (typeof then === 'function') process.nextTick(then, null);
      return true;
    };
    stream.fd = fd;
    stream._type = 'pipe';
    stream._isStdio = true;
    // The session's streams outlive the run that ends them.
    stream.destroy = () => stream;
    stream.end = (chunk, encoding, ended) => {
      if (typeof chunk === 'function') process.nextTick(chunk);
      else {
        if (chunk !== undefined && chunk !== null) stream.write(chunk, encoding);
        if (typeof ended === 'function') process.nextTick(ended);
      }
      return stream;
    };
    return stream;
  }
}

function textual(encoding) {
  return typeof encoding === 'string' ? encoding : 'utf8';
}

function bytesOf(chunk) {
  if (types.isUint8Array(chunk)) return chunk;
  const { name } = Object(chunk)?.constructor ?? {};
  throw new TypeError(`A stream takes a string, a Buffer or a Uint8Array, not ${name ?? chunk}`);
}

function lazily(make) {
  let made;
  return () => (made ??= make());
}

/** As much of a stream as a console needs, before there is one. */
function outlet(get) {
  return {
    // Without its callback, of which a long loop would heap up one for each line.
    write: (chunk) => get().write(chunk),
    once: () => {},
    on: () => {},
    removeListener: () => {},
    listenerCount: () => 1,
    isTTY: false,
  };
}

module.exports = { Streams };
