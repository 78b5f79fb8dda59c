'use strict';
// The JavaScript kernel: executes code and remembers, as a REPL does. What it is made of is in
// javascript/; this file must stay readable to any Node.js, however old.

var OLDEST = 18;

/** Answer each run with the reason why there will be none. */
function refuse() {
  var fs = require('fs');
  var message = process.execPath + ' is Node.js ' + process.versions.node + '; ' + OLDEST +
    ' or newer is needed. Install it, and let PATH lead to it.';
  var input = Buffer.alloc(65536);
  var held = '';
  function send(kind, fields) {
    var header = [kind].concat(fields.map(function (field) { return Buffer.byteLength(field); }));
    fs.writeSync(4, header.join(' ') + '\n' + fields.join(''));
  }
  function total(end) {
    return held.slice(0, end).split(' ').slice(1).reduce(function (sum, word) { return sum + Number(word); }, end + 1);
  }
  send('hello', [process.versions.node]);
  for (;;) {
    var end = held.indexOf('\n');
    if (end < 0 || held.length < total(end)) {
      var count = fs.readSync(3, input, 0, input.length, null);
      if (count === 0) return;
      held += input.toString('latin1', 0, count);
    } else {
      var kind = held.slice(0, end).split(' ')[0];
      held = held.slice(total(end));
      if (kind === 'variables') send('variables', ['[]']);
      if (kind === 'run') {
        send('error', ['LanguageUnavailable', message, '', '', message]);
        send('done', ['1']);
      }
    }
  }
}

if (parseInt(process.versions.node, 10) < OLDEST) refuse();
else require('./javascript/session.cjs').serve();
