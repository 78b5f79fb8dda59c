'use strict';
// How a program's failure is told: in its own terms, with no frame of the kernel's or of Node's.

const { EventEmitter } = require('events');
const { inspect, types } = require('util');
const { placeBefore } = require('./source.cjs');

// The program may put another in its place.
const { SyntaxError } = globalThis;

const BLOCK = /kowalski-block-(\d+)(?::(\d+):(\d+))?/g;
const FRAME = /^\s+at /;
const MOST_BLOCKS = 1000;
const MOST_FRAMES = 12;
const STACK_FRAMES = 30;
const MOST_LINES = 20;
const TEXT_CHARACTERS = 100000;
const MARK_CHARACTERS = 100;

/** The blocks that a session has run: their sources and how their caller names them. */
class Blocks {
  constructor() {
    this.last = 0;
    this.known = new Map();
  }

  /** Remember a block; gives the name that V8 knows it by. */
  add(code, label) {
    this.last += 1;
    this.known.set(this.last, { code, label });
    if (this.known.size > MOST_BLOCKS) this.known.delete(this.known.keys().next().value);
    return `kowalski-block-${this.last}`;
  }

  /** Note what of the latest block is evaluated: `text`, which `edits` made of its code. */
  evaluate(text, edits) {
    const block = this.known.get(this.last);
    if (text === block.code) delete block.edited;
    else block.edited = { text, edits: [...edits] };
  }

  /** The text with blocks named as their caller named them, and places as they are in their code. */
  labelled(text) {
    return text.replace(BLOCK, (name, number, line, column) => {
      const label = this.known.get(Number(number))?.label;
      if (label === undefined) return name;
      if (line === undefined) return label;
      const place = this.place(Number(number), Number(line), Number(column));
      return `${label}:${place.line}:${place.column}`;
    });
  }

  /** The place in a block's code of one in what was evaluated of it. */
  place(number, line, column) {
    const { code, edited } = this.known.get(number) ?? {};
    return edited ? placeBefore(code, edited.edits, edited.text, line, column) : { line, column };
  }

  line(number, line) {
    return this.known.get(number)?.code.split('\n')[line - 1];
  }
}

/** Tells failures as the fields of an `error` frame, and stacks to the program itself. */
class Teller {
  constructor(blocks, kernelFolder) {
    this.blocks = blocks;
    this.kernelFolder = kernelFolder;
    this.places = new WeakMap();
    // Some frames are the kernel's, which nobody is shown.
    Error.stackTraceLimit = STACK_FRAMES;
    Error.prepareStackTrace = (error, frames) => this.#stack(error, frames);
  }

  /** `place` is where V8 says that a source cannot be compiled. */
  tell(thrown, place) {
    const isError = types.isNativeError(thrown) || thrown instanceof Error;
    const type = isError ? asText(() => thrown.name || 'Error') : 'Uncaught';
    const message = isError ? asText(() => thrown.message) : inspected(thrown);
    const at = place ?? (isError ? this.placeOf(thrown) : null);
    return {
      type,
      message,
      line: at?.line,
      column: at?.column,
      traceback: this.#traceback(isError ? thrown : `Uncaught ${message}`, at),
    };
  }

  /** Where in the present block an error was made; null if it was elsewhere. */
  placeOf(error) {
    asText(() => error.stack);
    const block = `kowalski-block-${this.blocks.last}`;
    const found = this.places.get(error)?.find((place) => place.block === block);
    return found ? this.blocks.place(this.blocks.last, found.line, found.column) : null;
  }

  /** The stack as the program sees it: without the kernel, and with the names of its blocks. */
  #stack(error, frames) {
    const shown = [];
    let below = false;
    for (const frame of frames) {
      const file = frame.getScriptNameOrSourceURL() ?? '';
      if (file.startsWith(this.kernelFolder)) {
        // What Node did on the way between the kernel and the program.
        while (shown.length && isNodes(shown[shown.length - 1])) shown.pop();
        below = true;
      } else if (!file.startsWith('node:internal/') && !(below && isNodes(frame))) {
        shown.push(frame);
        below = false;
      }
    }
    const places = shown.map((frame) => ({
      block: frame.getScriptNameOrSourceURL(),
      line: frame.getLineNumber(),
      column: frame.getColumnNumber(),
    }));
    this.places.set(error, places);
    const head = asText(() => Error.prototype.toString.call(error));
    return this.blocks.labelled([head, ...shown].join('\n    at '));
  }

  #traceback(thrown, at) {
    const text = typeof thrown === 'string' ? thrown : inspected(thrown);
    // Those without frames are shown in brackets.
    const plain = text.replace(/^\[([^]*?)\](?= \{|$)/, '$1');
    const told = this.blocks.labelled(this.#shortened(plain));
    const source = at && this.blocks.line(this.blocks.last, at.line);
    if (source === undefined || source === null || source.length > 500) return told;
    const label = this.blocks.known.get(this.blocks.last).label;
    const pad = source.slice(0, at.column - 1).replace(/[^\t]/g, ' ');
    return `${label}:${at.line}\n${source}\n${pad}^\n\n${told}`;
  }

  /** Without frames of the kernel's and of Node's, and without the middle of a long stack. */
  #shortened(text) {
    const kept = [];
    let frames = 0;
    for (const line of text.split('\n')) {
      if (!FRAME.test(line)) frames = 0;
      else if (line.includes('node:') || line.includes(this.kernelFolder)) {
        const tail = /(\s*[{[]+)$/.exec(line);
        if (tail && kept.length) kept[kept.length - 1] += tail[1];
        continue;
      } else if (++frames > MOST_FRAMES) continue;
      kept.push(line);
    }
    return kept.join('\n');
  }
}

function isNodes(frame) {
  return (frame.getScriptNameOrSourceURL() ?? '').startsWith('node:');
}

/** A failure of the kernel's telling. */
function failure(name, message) {
  const error = name === 'SyntaxError' ? new SyntaxError(message) : new Error(message);
  error.name = name;
  error.stack = `${name}: ${message}`;
  return error;
}

/** As Node's REPL shows a value. */
function inspected(value, options) {
  return asText(() => inspect(value, { maxStringLength: TEXT_CHARACTERS, ...options }));
}

/** The same of a last value: of what emits events, such as a server, not all that Node keeps in it. */
function displayed(value) {
  const text = inspected(value);
  if (text.split('\n').length <= MOST_LINES) return text;
  return asText(() => (value instanceof EventEmitter ? shortened(value) : text));
}

function shortened(value) {
  const lines = inspected(value, { depth: 0 }).split('\n');
  const more = lines.length - MOST_LINES;
  return more > 0 ? `${lines.slice(0, MOST_LINES).join('\n')}\n... ${more} more lines` : lines.join('\n');
}

/** What a part of the program's own says, which may fail itself. */
function asText(part) {
  try {
    const text = String(part());
    const more = text.length - TEXT_CHARACTERS;
    // Node itself says of a long string how much more there is.
    return more <= MARK_CHARACTERS ? text : `${text.slice(0, TEXT_CHARACTERS)}... ${more} characters more`;
  } catch {
    return '<cannot be shown>';
  }
}

module.exports = { Blocks, Teller, displayed, failure, inspected };
