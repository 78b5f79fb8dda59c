'use strict';
// Pieces of a pipe, each when it is asked for; a read that waits keeps the event loop alive.

const { read } = require('fs');

const { Buffer, setTimeout } = globalThis;
const READ_BYTES = 65536;

/**
 * What calls `take` with the next piece of `fd` whenever `next` was called; with null at its end.
 * A piece is there until the next one is asked for.
 */
function reader(fd, take) {
  try {
    return new Stream(fd, take);
  } catch {
    return new File(fd, take);
  }
}

/** Reads in the event loop itself, as sockets do. */
class Stream {
  constructor(fd, take) {
    const { Pipe, constants } = process.binding('pipe_wrap');
    const { streamBaseState, kReadBytesOrError } = process.binding('stream_wrap');
    if (streamBaseState?.[kReadBytesOrError] === undefined) throw new Error('Node has changed');
    // What a read is among the things that the program has going on, while it waits and at its end.
    this.waiting = 'PipeWrap';
    this.ending = undefined;
    this.handle = new Pipe(constants.SOCKET);
    // A program may put others in their places.
    for (const name of ['readStart', 'readStop', 'ref', 'unref']) this.handle[name] = this.handle[name];
    if (this.handle.open(fd)) throw new Error('it cannot be opened');
    const bytes = Buffer.allocUnsafeSlow(READ_BYTES);
    this.handle.useUserBuffer(bytes);
    this.handle.onread = () => {
      const count = streamBaseState[kReadBytesOrError];
      if (count === 0) return;
      this.handle.readStop();
      this.handle.unref();
      take(count < 0 ? null : bytes.subarray(0, count));
    };
    this.handle.unref();
  }

  next() {
    this.handle.ref();
    this.handle.readStart();
  }
}

/** Reads in a thread, where Node keeps its own way to itself. */
class File {
  constructor(fd, take) {
    this.waiting = this.ending = 'FSReqCallback';
    const bytes = Buffer.allocUnsafeSlow(READ_BYTES);
    this.next = () => {
      read(fd, bytes, 0, READ_BYTES, null, (error, count) => {
        if (error?.code === 'EAGAIN') setTimeout(this.next, 1);
        else take(error || count === 0 ? null : bytes.subarray(0, count));
      });
    };
  }
}

module.exports = { reader };
