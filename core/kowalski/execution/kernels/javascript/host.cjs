'use strict';

const MOST_CHARACTERS = 16 * 2 ** 20;

// The program may put another in its place.
const { setImmediate } = globalThis;

/** Calls of the program's to its caller: each is a promise, and many may be outstanding. */
class Host {
  /** `listen` makes the kernel hear answers. */
  constructor(channel, listen) {
    this.channel = channel;
    this.listen = listen;
    this.calls = 0;
    this.unsent = [];
    this.outstanding = new Map();
  }

  /** The function `name`, which the program may call with what JSON can hold. */
  function(name) {
    const call = async (...given) => this.#call(name, given);
    return Object.defineProperty(call, 'name', { value: name });
  }

  answer(number, kind, text) {
    const call = this.outstanding.get(number);
    if (!call) return;
    this.outstanding.delete(number);
    if (kind === 'error') call.reject(new Error(`${call.name}: ${text}`));
    else call.resolve(kind === 'json' ? JSON.parse(text) : text);
  }

  /** Abandon what is outstanding: the run is over. */
  forget() {
    this.unsent = [];
    this.outstanding.clear();
  }

  #call(name, given) {
    const asked = JSON.stringify(given);
    if (asked.length > MOST_CHARACTERS) {
      throw new RangeError(`${name} was given ${asked.length} characters; ${MOST_CHARACTERS} are the most`);
    }
    const number = String(++this.calls);
    const answered = new Promise((resolve, reject) => {
      this.outstanding.set(number, { name, resolve, reject });
    });
    // Not from within the program, which an interrupt may end in the midst of a frame.
    this.unsent.push(['call', number, name, asked]);
    setImmediate(() => this.#send());
    return answered;
  }

  #send() {
    for (const call of this.unsent.splice(0)) this.channel.send(...call);
    if (this.outstanding.size) this.listen();
  }
}

module.exports = { Host };
