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

function furnish() {
  const folder = process.cwd();
  const file = `${folder}/block.js`;
  process.argv = [process.execPath, file];
  const main = new Module(file);
  main.filename = file;
  main.paths = Module._nodeModulePaths(folder);
  const require = createRequire(file);
  require.main = main;
  process.mainModule = main;
  main.require = require;
  define(globalThis, 'require', require);
  define(globalThis, 'module', main);
  define(globalThis, 'exports', main.exports);
  define(globalThis, '__filename', file);
  define(globalThis, '__dirname', folder);
  for (const name of builtinModules) {
    if (!(name in globalThis) && /^[a-z]\w*$/.test(name)) {
      defineLazily(globalThis, name, () => require(name));
    }
  }
  define(globalThis, IMPORT, importer(file, main.paths, require));
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

module.exports = { define, defineLazily, furnish };
