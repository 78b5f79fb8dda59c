'use strict';
// A thread that hears SIGINT when the program's own is busy, and ends what keeps it busy.

const { Session } = require('inspector');
const { runInThisContext } = require('vm');
const { parentPort, workerData } = require('worker_threads');

const FLAG_ANSWERED = 0;
const FLAG_RUN = 1;
const FLAG_DUE = 2;
const PATIENCE_MS = 50;

const flags = new Int32Array(workerData);
const never = new Int32Array(new SharedArrayBuffer(4));
let session = null;

function interrupt() {
  const run = Atomics.load(flags, FLAG_RUN);
  Atomics.store(flags, FLAG_ANSWERED, 0);
  Atomics.store(flags, FLAG_DUE, run);
  parentPort.postMessage(run);
  if (Atomics.wait(flags, FLAG_ANSWERED, 0, PATIENCE_MS) !== 'timed-out') return;
  if (run === 0 || Atomics.load(flags, FLAG_RUN) !== run) return;
  if (session === null) {
    session = new Session();
    session.connectToMainThread();
  }
  session.post('Runtime.terminateExecution');
}

globalThis.pause = () => Atomics.wait(never, 0, 0);
for (;;) {
  try {
    runInThisContext('pause()', { breakOnSigint: true });
  } catch {
    interrupt();
  }
}
