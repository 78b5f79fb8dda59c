'use strict';
// What a program has going on: timers, files being read, connections, processes.

// What may stay open after a run without being waited for: it waits for others itself.
const LISTENING = new Set(['TCPServerWrap', 'PipeServerWrap', 'FSEventWrap', 'StatWatcher']);

/** How many things of each kind keep the event loop alive; listeners and their connections apart. */
function activity() {
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo()) {
    if (!LISTENING.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  if (counts.has('TCPSocketWrap') || counts.has('PipeWrap')) {
    for (const handle of process._getActiveHandles()) {
      if (!handle?.server?.listening) continue;
      const kind = handle._handle?.constructor.name === 'TCP' ? 'TCPSocketWrap' : 'PipeWrap';
      subtract(counts, kind);
    }
  }
  return counts;
}

/** One of this kind is the kernel's own. */
function subtract(counts, kind) {
  counts.set(kind, Math.max(0, (counts.get(kind) ?? 0) - 1));
}

module.exports = { activity, subtract };
