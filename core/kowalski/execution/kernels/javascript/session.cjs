'use strict';
// Executes blocks one after the other, in one context that remembers.
//
// V8's own REPL mode, which the inspector offers, evaluates them: top-level `await`, and
// declarations that later blocks may repeat.

const { readFileSync } = require('fs');
const { Session: Inspector } = require('inspector');
const { types } = require('util');
const { promiseHooks } = require('v8');
const { runInThisContext } = require('vm');
const { activity, subtract } = require('./activity.cjs');
const { Channel, elsewhere } = require('./channel.cjs');
const { Door } = require('./door.cjs');
const { Blocks, Teller, displayed, failure } = require('./errors.cjs');
const { Host } = require('./host.cjs');
const { Idling } = require('./idling.cjs');
const { Interrupts } = require('./interrupts.cjs');
const { pictureKind } = require('./pictures.cjs');
const { plain } = require('./plain.cjs');
const { Source } = require('./source.cjs');
const { Streams } = require('./streams.cjs');
const { Place, define, defineLazily, furnish } = require('./surroundings.cjs');

// The program may put others in their places.
const { setImmediate, setTimeout, clearTimeout, process } = globalThis;
const { then } = Promise.prototype;

const FIRST_LOOK_MS = 2;
const LONGEST_LOOK_MS = 50;
const WATCH_AFTER_MS = 150;
const MOST_TURNS = 20;
const GROUP = 'kowalski';
const REDECLARED = /^Identifier '([^']+)' has already been declared/;

class Session {
  constructor(place) {
    this.place = place;
    this.channel = new Channel();
    this.hear = (kind, fields) => this.#hear(kind, fields);
    this.host = new Host(this.channel, () => this.channel.receive(this.hear));
    this.streams = new Streams();
    this.blocks = new Blocks();
    this.teller = new Teller(this.blocks, __dirname);
    this.interrupts = new Interrupts(() => this.#interrupted());
    this.run = null;
    this.isProgram = false;
    this.isLast = false;
    this.early = [];
    this.uncaught = (error) => this.#uncaught(error);
    this.idling = new Idling(() => this.#idle());
    this.given = new Set();
    this.own = new Set(Object.getOwnPropertyNames(globalThis));
    this.inspector = new Inspector();
    this.inspector.connect();
    this.door = new Door();
  }

  serve() {
    this.#listen();
    process.exit = (code) => this.#exit(code);
    this.channel.send('hello', process.versions.node);
    this.channel.receive(this.hear);
  }

  /** Hear what Node tells, even where a program removed all who listen. */
  #listen() {
    if (!process.listeners('uncaughtException').includes(this.uncaught)) {
      process.on('uncaughtException', this.uncaught);
    }
    this.idling.listen();
    this.interrupts.guard();
  }

  #hear(kind, fields) {
    if (kind === 'answer') {
      this.host.answer(...fields);
      if (!this.run || this.host.outstanding.size) this.channel.receive(this.hear);
    } else if (this.run) {
      // Nothing but answers is due during a run; what comes early waits.
      this.early.push([kind, fields]);
    } else if (kind === 'run') {
      this.#start(...fields);
    } else if (kind === 'program') {
      const [, path, ...words] = fields;
      (path ? new Place(path) : this.place).take(words);
      this.isProgram = true;
      this.#next();
    } else if (kind === 'last') {
      this.isLast = true;
      this.#next();
    } else {
      if (kind === 'variables') this.channel.send('variables', JSON.stringify(this.#variables()));
      this.#next();
    }
  }

  #next() {
    if (this.early.length) this.channel.again(this.hear, ...this.early.shift());
    else this.channel.receive(this.hear);
  }

  #start(code, label, functions, ...inputs) {
    this.streams.refresh();
    process.exitCode = undefined;
    const run = { name: this.blocks.add(code, label), before: activity(), turns: 0 };
    // The operation whose end brought the block is as good as over.
    if (this.channel.ending) subtract(run.before, this.channel.ending);
    this.run = run;
    this.interrupts.follow(this.blocks.last);
    try {
      for (const name of functions.split(' ').filter(Boolean)) {
        this.#give(name, () => this.host.function(name));
      }
      for (let i = 0; i + 1 < inputs.length; i += 2) {
        this.#give(inputs[i], () => readFileSync(inputs[i + 1], 'utf8'), code);
      }
      run.source = new Source(code);
      run.code = run.source.text;
    } catch (error) {
      this.#fail(run, error);
      return;
    }
    this.#evaluate(run);
    // Most blocks have nothing more to do.
    if (run === this.run && !run.settled) this.#goOn();
  }

  /** The run takes longer: see to it that it can be interrupted between and in its callbacks. */
  #goOn() {
    this.interrupts.await();
    this.#watchLater();
  }

  /** Set a global; where the program declared the name itself, what it declared. */
  #give(name, make, code = name) {
    defineLazily(globalThis, name, make);
    this.given.add(name);
    if (!code.includes(name) || !this.#lexicalNames().includes(name)) return;
    try {
      runInThisContext(`(value) => { ${name} = value }`)(make());
    } catch (error) {
      // A constant of the program's stays one.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  #evaluate(run) {
    this.blocks.evaluate(run.code, run.source.ordered());
    const script = plain(run.code, run.name);
    if (script) {
      this.#enter(run, () => this.#runPlain(run, script));
      return;
    }
    const options = {
      expression: `${run.code}\n//# sourceURL=${run.name}`,
      replMode: true,
      objectGroup: GROUP,
    };
    let refusal, promise;
    const evaluate = () => {
      this.#ask('Runtime.evaluate', options, ({ exceptionDetails }) => {
        refusal ??= exceptionDetails;
      });
      if (refusal) setImmediate(() => run === this.run && this.#refused(run, refusal));
      else if (promise) this.#follow(run, promise);
    };
    // The promise of a block's value is the first that is made. The inspector is not to await it:
    // it would hold it weakly, and call back where no code may run if it were collected.
    const unhook = promiseHooks.onInit((made) => {
      promise ??= made;
      unhook();
    });
    this.#enter(run, evaluate);
    unhook();
  }

  #enter(run, begin) {
    try {
      if (!this.door.enter(begin)) this.#interrupted();
    } catch (error) {
      if (run === this.run) this.#fail(run, error);
    }
  }

  #runPlain(run, script) {
    let step;
    try {
      const value = script.runInThisContext({ displayErrors: false });
      step = () => this.#evaluated(run, value);
    } catch (error) {
      step = () => this.#threw(run, error);
    }
    run.settled = true;
    setImmediate(() => run === this.run && step());
  }

  #follow(run, promise) {
    this.#await(run, promise, (answer) => this.#evaluated(run, answer['.repl_result']));
  }

  /**
   * Go on with a promise's value, or with its failure, once the event loop turns: an interrupt may
   * end the program's part of the work at any point.
   */
  #await(run, promise, proceed) {
    const later = (step) => (result) => {
      run.settled = true;
      setImmediate(() => run === this.run && step(result));
    };
    then.call(
      promise,
      later(proceed),
      later((error) => this.#threw(run, error)),
    );
  }

  /** V8 cannot compile the block, or not as what it was made here. */
  #refused(run, { exception, lineNumber, columnNumber }) {
    const [message] = exception.description.slice('SyntaxError: '.length).split('\n    at ');
    const error = failure('SyntaxError', message);
    const place = run.source.placeBehind(run.code, lineNumber, columnNumber);
    // A name that another block declared is no matter of a place: V8 tells the code's beginning.
    if (this.#isRedeclared(run, error, lineNumber || columnNumber ? place : undefined)) return;
    run.refusal ??= [error, place];
    if (run.code !== run.source.code) this.#evaluateAgain(run, run.source.code);
    else this.#fail(run, ...run.refusal);
  }

  #threw(run, error) {
    const isHere = types.isNativeError(error) && this.teller.placeOf(error);
    if (isHere || !this.#isRedeclared(run, error)) this.#fail(run, error);
  }

  /** Whether a name is declared that cannot be, here or again: then it is seen to. */
  #isRedeclared(run, error, refusedAt) {
    const found = types.isNativeError(error) && REDECLARED.exec(error.message);
    if (!found || error.name !== 'SyntaxError') return false;
    const place = refusedAt ?? run.source.placeOf(found[1]);
    const another = run.turns++ < MOST_TURNS && run.source.redeclare(found[1]);
    if (another) this.#evaluateAgain(run, run.source.text);
    else this.#fail(run, error, place);
    return true;
  }

  #evaluateAgain(run, code) {
    run.code = code;
    elsewhere(() => run === this.run && this.#evaluate(run));
  }

  #evaluated(run, value) {
    run.complete = true;
    run.value = value;
    if (types.isPromise(value)) {
      this.#await(run, value, (result) => this.#evaluated(run, result));
      this.#goOn();
    } else this.#look(run, FIRST_LOOK_MS);
  }

  /** End the run if all is done that it began, as a program's end is; else look again later. */
  #look(run, pause) {
    // A program that is the last one ends where Node says so, with its servers.
    if (run !== this.run || this.isLast) return;
    if (!this.#isDone(run)) {
      const longer = Math.min(LONGEST_LOOK_MS, pause * 1.5);
      this.#goOn();
      run.timer = setTimeout(() => this.#look(run, longer), pause).unref();
    } else if (run.complete) this.#succeed(run);
    else this.#idle();
  }

  #isDone(run) {
    if (this.host.outstanding.size) return false;
    const now = activity();
    if (this.channel.reading) subtract(now, this.channel.reader.waiting);
    return [...now].every(([kind, count]) => count <= (run.before.get(kind) ?? 0));
  }

  /** Nothing keeps the event loop alive. */
  #idle() {
    const { run } = this;
    if (!run) this.#next();
    else if (this.isLast && this.idling.hasMore()) return;
    else if (!this.isLast && !this.#isDone(run)) {
      // Node lost count of its timers, as it does where one's callback was ended: keep it going.
      this.channel.receive(this.hear);
      if (!run.complete) this.#look(run, LONGEST_LOOK_MS);
    } else if (run.complete) this.#succeed(run);
    else {
      const message = 'The block awaits what can never happen: nothing is left that could do it.';
      this.#fail(run, failure('UnsettledAwait', message));
    }
  }

  #succeed(run) {
    const { value } = run;
    if (run.exit !== undefined) {
      this.#end(run.exit);
      return;
    }
    if (this.interrupts.isDue(this.blocks.last)) {
      this.#interrupted();
      return;
    }
    if (value !== undefined) {
      const kind = pictureKind(value);
      if (kind) this.channel.send('artifact', `image.${kind}`, `image/${kind}`, Buffer.from(value));
      this.channel.hold('value', displayed(value));
      define(globalThis, '_', value);
    }
    this.#end(exitCode());
  }

  #fail(run, thrown, place) {
    if (run.exit !== undefined) {
      this.#end(run.exit);
      return;
    }
    this.#tell(thrown, place);
    this.#end(1);
  }

  #tell(thrown, place) {
    const { type, message, line, column, traceback } = this.teller.tell(thrown, place);
    this.channel.hold('error', type, message, String(line ?? ''), String(column ?? ''), traceback);
  }

  #end(code) {
    const { run } = this;
    if (this.isLast) {
      this.channel.flush();
      code = this.#leave(code);
    }
    this.run = null;
    clearTimeout(run.timer);
    this.interrupts.forget();
    this.host.forget();
    if (this.isProgram) this.place.take([]);
    this.isProgram = false;
    this.channel.send('done', String(code));
    setImmediate(() => {
      this.#ask('Runtime.releaseObjectGroup', { objectGroup: GROUP }, () => {});
      this.#listen();
      this.#next();
    });
    // Only a session is still there later.
    this.#watchLater();
  }

  /** Tell the program that it ends, which nothing but its end does; gives its exit code. */
  #leave(code) {
    this.isLast = false;
    this.streams.muted = false;
    process.exitCode = code;
    try {
      process.emit('exit', code);
    } catch (error) {
      this.#tell(error);
      return 1;
    }
    return exitCode();
  }

  #watchLater() {
    if (this.interrupts.watches) return;
    this.watching ??= setTimeout(() => this.interrupts.watch(), WATCH_AFTER_MS).unref();
  }

  #interrupted() {
    if (this.run) this.#fail(this.run, failure('KeyboardInterrupt', 'interrupted'));
  }

  #uncaught(error) {
    // Who listens for these decides about them, as in any program.
    if (process.listenerCount('uncaughtException') > 1) return;
    if (this.run) this.#fail(this.run, error);
    else process.stderr.write(`${this.teller.tell(error).traceback}\n`);
  }

  /** In place of `process.exit`: ends the run, and the session lives on. */
  #exit(code) {
    const { run } = this;
    if (code !== undefined) process.exitCode = code;
    this.streams.muted = true;
    if (run) {
      run.exit ??= exitCode();
      elsewhere(() => run === this.run && this.#end(run.exit));
    }
    // Nothing of the program's that follows may run, not even what handles errors.
    this.#ask('Runtime.terminateExecution', {}, () => {});
    for (;;);
  }

  #variables() {
    const names = this.#lexicalNames();
    names.push(...Object.keys(globalThis).filter((name) => !this.own.has(name)));
    const { described } = require('./variables.cjs');
    return described([...new Set(names)].filter((name) => !this.given.has(name)));
  }

  /** What `let`, `const` and `class` declared. */
  #lexicalNames() {
    let found = [];
    this.#ask('Runtime.globalLexicalScopeNames', {}, ({ names }) => {
      found = names;
    });
    return found;
  }

  /** Ask the inspector. What was ended has no answer: whoever ended it has told so already. */
  #ask(method, options, then) {
    this.inspector.post(method, options, (error, answer) => {
      if (!error) then(answer);
    });
  }
}

function exitCode() {
  return Number(process.exitCode ?? 0) & 0xff;
}

/** Take over the descriptors 0 to 4, and serve until the agent goes. */
function serve() {
  new Session(furnish()).serve();
}

module.exports = { serve };
