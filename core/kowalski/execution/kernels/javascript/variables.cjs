'use strict';

const { builtinModules } = require('module');
const { types } = require('util');
const { runInThisContext } = require('vm');
const { inspected } = require('./errors.cjs');

const MOST_VARIABLES = 200;
const PREVIEW_CHARACTERS = 80;
const BRIEFLY = { depth: 1, maxArrayLength: 20, maxStringLength: 100, breakLength: Infinity };

/** The variables of these names, with their types and the beginnings of their values. */
function described(names) {
  const listed = [];
  for (const name of names) {
    let value;
    try {
      value = runInThisContext(name);
    } catch {
      // Its declaration was never reached.
      continue;
    }
    if (types.isModuleNamespaceObject(value)) continue;
    if (builtinModules.includes(name) && value === require(name)) continue;
    const preview = inspected(value, BRIEFLY).replace(/\s+/g, ' ').slice(0, PREVIEW_CHARACTERS);
    listed.push({ name, type: typeName(value), preview });
    if (listed.length === MOST_VARIABLES) break;
  }
  return listed;
}

function typeName(value) {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  try {
    return String(value.constructor?.name ?? 'object');
  } catch {
    return 'object';
  }
}

module.exports = { described };
