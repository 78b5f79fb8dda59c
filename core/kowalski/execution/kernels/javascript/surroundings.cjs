'use strict';
// What blocks find around them: what a module in the working folder has, and what Node's REPL has.

const { createRequire, builtinModules, Module } = require('module');
const { IMPORT } = require('./source.cjs');

/** Set a global that lists of the program's own names leave out. */
function define(target, name, value) {
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

/** Define a global that is made when it is first wanted. */
function defineLazily(target, name, make) {
  Object.defineProperty(target, name, {
    get() {
      const value = make();
      define(target, name, value);
      return value;
    },
    set: (value) => define(target, name, value),
    configurable: true,
  });
}

/** What blocks have that are no file; they have it from here on. */
function furnish() {
  const place = new Place(`${process.cwd()}/block.js`);
  place.take([]);
  for (const name of builtinModules) {
    if (!(name in globalThis) && /^[a-z]\w*$/.test(name)) {
      defineLazily(globalThis, name, () => place.require(name));
    }
  }
  return place;
}

/** A file that blocks may be taken for: what a module in it has. */
class Place {
  constructor(file) {
    this.file = file;
    this.folder = file.slice(0, file.lastIndexOf('/')) || '/';
    this.main = new Module(file);
    this.main.filename = file;
    this.main.paths = Module._nodeModulePaths(this.folder);
    this.require = createRequire(file);
    this.require.main = this.main;
    this.main.require = this.require;
    this.importer = importer(file, this.main.paths, this.require);
  }

  /** Let the blocks that come be this file, which was given `words` on its command line. */
  take(words) {
    process.argv = [process.execPath, this.file, ...words];
    process.mainModule = this.main;
    define(globalThis, 'require', this.require);
    define(globalThis, 'module', this.main);
    define(globalThis, 'exports', this.main.exports);
    define(globalThis, '__filename', this.file);
    define(globalThis, '__dirname', this.folder);
    define(globalThis, IMPORT, this.importer);
  }
}

/** What stands for `import` in blocks: only code that Node has loaded itself may import. */
function importer(file, paths, require) {
  const module = new Module(file);
  module.paths = paths;
  // Its name is one of the kernel's, so that no stack shows it.
  const code = `module.exports = (name, options) => import(name, options);\n//# sourceURL=${__filename}`;
  module._compile(code, file);
  const load = async (name, options, asked = []) => {
    const namespace = await module.exports(name, options);
    const missing = asked.find((one) => !(one in namespace));
    if (missing === undefined) return namespace;
    throw new SyntaxError(`The module '${name}' does not provide an export named '${missing}'`);
  };
  defineLazily(load, 'meta', () => {
    const { pathToFileURL } = require('url');
    const resolve = (name) => {
      const found = require.resolve(name);
      return found.startsWith('/') ? pathToFileURL(found).href : `node:${found.replace(/^node:/, '')}`;
    };
    const dirname = file.slice(0, file.lastIndexOf('/'));
    return { url: pathToFileURL(file).href, filename: file, dirname, main: true, resolve };
  });
  return load;
}

module.exports = { Place, define, defineLazily, furnish };
