'use strict';

const { types } = require('util');

const MOST_BYTES = 32 * 2 ** 20;
const BEGINNINGS = [
  [Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'png'],
  [Buffer.from('\xff\xd8\xff', 'latin1'), 'jpeg'],
];

/** What picture these bytes are; undefined if they are none, or too many. */
function pictureKind(value) {
  if (!types.isUint8Array(value) || value.length > MOST_BYTES) return undefined;
  return BEGINNINGS.find(([start]) => start.equals(value.subarray(0, start.length)))?.[1];
}

module.exports = { pictureKind };
