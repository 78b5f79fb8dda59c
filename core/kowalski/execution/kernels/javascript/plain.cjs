'use strict';
// Blocks that neither declare nor await anything are what they are in REPL mode as plain scripts
// too, and after an idle moment V8 begins such a script in half the time.

const { Script } = require('vm');

// Wherever it stands, in a string too; and letters may be written as escapes.
const NEEDS_REPL = /\b(?:await|async|let|const|var|using|class|function|import|export)\b|\\u/;

/** The script that this code is, under this name; null if it may be none, or cannot be compiled. */
function plain(code, name) {
  if (NEEDS_REPL.test(code)) return null;
  try {
    return new Script(code, { filename: name });
  } catch {
    // The inspector tells better where it is wrong.
    return null;
  }
}

module.exports = { plain };
