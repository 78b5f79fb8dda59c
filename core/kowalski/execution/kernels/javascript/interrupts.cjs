'use strict';
// SIGINT, however busy the program is.
//
// `vm` hears it while a block's own text runs. Between callbacks the kernel asks whether one came.
// A callback that never returns hears neither; a second thread does, and ends it. That thread
// costs tens of milliseconds, so it starts where there is time for it.

// The program may put others in their places.
const { clearInterval, setInterval } = globalThis;

const FLAG_ANSWERED = 0;
const FLAG_RUN = 1;
const FLAG_DUE = 2;
const ASK_MS = 25;

class Interrupts {
  /** Calls `interrupted` between callbacks. */
  constructor(interrupted) {
    this.interrupted = interrupted;
    this.flags = new Int32Array(new SharedArrayBuffer(12));
    this.worker = null;
    this.asking = null;
    // Where V8's own watchdog stays on, the signal never finds a moment to end the process in.
    this.watchdog = watchdog();
    this.watchdog?.startSigintWatchdog();
    this.watchdog?.startSigintWatchdog();
    if (this.watchdog) keepFromSignals('SIGINT');
    this.guard();
  }

  /** Listen again, where Node's listener is all there is, and the program may have removed it. */
  guard() {
    if (this.watchdog || process.listeners('SIGINT').includes(this.interrupted)) return;
    process.on('SIGINT', this.interrupted);
  }

  /** The run of this number begins. What came before is not for it. */
  follow(number) {
    Atomics.store(this.flags, FLAG_RUN, number);
    this.watchdog?.stopSigintWatchdog();
    this.watchdog?.startSigintWatchdog();
  }

  /** The run goes on between callbacks. */
  await() {
    this.asking ??= setInterval(() => {
      if (this.watchdog?.watchdogHasPendingSigint()) this.interrupted();
    }, ASK_MS).unref();
  }

  /** The run is over. */
  forget() {
    Atomics.store(this.flags, FLAG_RUN, 0);
    clearInterval(this.asking);
    this.asking = null;
  }

  /** Whether the run of this number was interrupted, and nobody was told yet. */
  isDue(number) {
    return Atomics.load(this.flags, FLAG_DUE) === number;
  }

  /** Whether callbacks are watched, or cannot be. */
  get watches() {
    return Boolean(this.worker || !this.watchdog);
  }

  /** Have callbacks watched from now on. */
  watch() {
    if (this.watches) return;
    const { Worker } = require('worker_threads');
    this.worker = new Worker(`${__dirname}/watch.cjs`, {
      workerData: this.flags.buffer,
      execArgv: [],
      env: {},
      trackUnmanagedFds: false,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    this.worker.on('message', (number) => {
      Atomics.store(this.flags, FLAG_ANSWERED, 1);
      Atomics.notify(this.flags, FLAG_ANSWERED);
      if (number && number === Atomics.load(this.flags, FLAG_RUN)) this.interrupted();
    });
    // Without it, there is less that can be interrupted.
    this.worker.on('error', () => {});
    this.worker.unref();
  }
}

/** Node's part of `vm` that hears SIGINT; null where it is out of reach. */
function watchdog() {
  try {
    const found = process.binding('contextify');
    return typeof found.startSigintWatchdog === 'function' ? found : null;
  } catch {
    return null;
  }
}

/** A program may listen for this signal, but does not take it from the kernel. */
function keepFromSignals(kept) {
  for (const listener of process.listeners('newListener')) {
    if (listener.name !== 'startListeningIfSignal') continue;
    process.removeListener('newListener', listener);
    process.on('newListener', (name) => {
      if (name !== kept) listener(name);
    });
  }
}

module.exports = { Interrupts };
