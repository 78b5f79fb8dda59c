'use strict';
// What a block's source needs before V8's REPL mode can take it: `import` declarations, `import()`
// and `export`, which scripts do not have; and declarations that later blocks may repeat.

const REGEX = /\/(?:\\[^\n]|\[(?:\\[^\n]|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y;
const TEMPLATE = /(?:\\[^]|\$(?!\{)|[^`\\$])*(`|\$\{)/y;
const WIDE_SPACE = /[\xa0\ufeff\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const [MARK, SPACE, WORD, DIGIT] = [0, 1, 2, 3];
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (/\d/.test(char)) return DIGIT;
  if (/[\w$#\\]/.test(char)) return WORD;
  return /\s/.test(char) ? SPACE : MARK;
});
// Beyond these, a block is mostly data, and is taken as it stands.
const MOST_CHARACTERS = 2 ** 20;
const INTERESTING = /\b(?:const|import|export)\b/;
const ASSIGNMENT = /\s*(?:(?:\*\*|<<|>>>?|&&|\|\||\?\?|[-+*/%&|^])?=(?![=>])|\+\+|--)/y;
const BEFORE_REGEX = new Set(
  'return typeof case in of delete void instanceof new do else throw await yield'.split(' '),
);
const BEFORE_CONDITION = new Set(['if', 'while', 'for', 'with']);
const OPENING = { '(': ')', '[': ']', '{': '}' };
const DECLARING = new Set(['const', 'let', 'var', 'class', 'function']);
// What else a declaration may be: a constant follows a constant, a `var` follows a `var`.
const TURNS = { const: ['const', 'var  '], let: ['var'], var: ['let'], class: [null], function: [null] };
const CONTINUING = /^(?:[^\w$}\])"'`;]|in|instanceof|of|extends|new|typeof|void|await|yield|async)$/u;

// Takes the place of `import` in expressions. It is as long, so that columns stay true.
const IMPORT = 'imp_rt';

/** The source as tokens; null where it cannot be read, which V8 will then tell better. */
function tokenized(code) {
  const tokens = [];
  const open = [];
  let last;
  let newline = false;
  let at = code.startsWith('#!') ? code.indexOf('\n') : 0;
  const add = (kind, end) => {
    last = { kind, text: code.slice(at, end), start: at, end, depth: open.length, newline };
    newline = false;
    at = end;
    tokens.push(last);
    return last;
  };
  while (at >= 0 && at < code.length) {
    const char = code[at];
    const kind = kindAt(code, at);
    if (kind === SPACE) {
      newline ||= char === '\n';
      at += 1;
    } else if (kind !== MARK) {
      let end = at + 1;
      while (end < code.length && kindAt(code, end) >= WORD) end += 1;
      add(kind === DIGIT ? 'number' : 'word', end);
    } else if (char === '/' && (code[at + 1] === '/' || code[at + 1] === '*')) {
      const isLine = code[at + 1] === '/';
      const found = code.indexOf(isLine ? '\n' : '*/', at + 2);
      if (found < 0 && !isLine) return null;
      const end = isLine ? (found < 0 ? code.length : found) : found + 2;
      newline ||= !isLine && code.slice(at, end).includes('\n');
      at = end;
    } else if (char === '`' || (char === '}' && open[open.length - 1]?.closing === '`')) {
      if (char === '}') open.pop();
      const found = match(TEMPLATE, code, at + 1);
      if (!found) return null;
      add('template', TEMPLATE.lastIndex);
      if (found[1] === '${') open.push({ closing: '`' });
    } else if (char === '"' || char === "'") {
      const end = endOfString(code, at);
      if (!end) return null;
      add('string', end);
    } else if (char === '/' && mayBeRegex(last, newline)) {
      if (!match(REGEX, code, at)) return null;
      add('regex', REGEX.lastIndex);
    } else if (char in OPENING) {
      const condition = BEFORE_CONDITION.has(last?.text);
      add('mark', at + 1);
      open.push({ closing: OPENING[char], condition });
    } else if (char === ')' || char === ']' || char === '}') {
      const opened = open.pop();
      if (opened?.closing !== char) return null;
      add('mark', at + 1).condition = opened.condition;
    } else {
      const next = code[at + 1];
      const isOptional = char === '?' && next === '.' && kindAt(code, at + 2) !== DIGIT;
      const isStep = (char === '+' || char === '-') && next === char;
      add('mark', at + (isOptional || isStep || (char === '=' && next === '>') ? 2 : 1));
    }
  }
  return open.length ? null : tokens;
}

function kindAt(code, at) {
  const char = code.charCodeAt(at);
  if (char < 128) return KINDS[char];
  return WIDE_SPACE.test(code[at]) ? SPACE : WORD;
}

function endOfString(code, start) {
  for (let at = start + 1; at < code.length && code[at] !== '\n'; at += 1) {
    if (code[at] === code[start]) return at + 1;
    if (code[at] === '\\') at += 1;
  }
  return null;
}

function match(pattern, code, at) {
  pattern.lastIndex = at;
  return pattern.exec(code);
}

function mayBeRegex(last, newline) {
  if (!last) return true;
  if (last.kind === 'word') return BEFORE_REGEX.has(last.text);
  if (last.kind !== 'mark') return false;
  if (last.text === ')') return last.condition;
  if (last.text === '}') return newline;
  return last.text !== ']' && last.text !== '++' && last.text !== '--';
}

/** A source text whose pieces can be replaced; lines stay where they are. */
class Source {
  constructor(code) {
    this.code = code;
    this.edits = [];
    this.tokens = null;
    this.declarations = [];
    if (INTERESTING.test(code)) this.#read();
  }

  /** The source as REPL mode can take it. */
  get text() {
    if (!this.edits.length) return this.code;
    let text = '';
    let at = 0;
    for (const [start, end, replacement] of this.ordered()) {
      text += this.code.slice(at, start) + replacement;
      text += '\n'.repeat(lost(this.code, start, end, replacement));
      at = end;
    }
    return text + this.code.slice(at);
  }

  /**
   * Declare `name` the other way: a session may hold it as a `var` where this source says `let`,
   * or the other way round. False if nothing here declares it.
   */
  redeclare(name) {
    if (!this.tokens) this.#read();
    const [found, another] = this.declarations.filter((one) => one.names.has(name));
    const ways = TURNS[found?.keyword.text];
    if (!found || another || found.turns === ways.length) return false;
    const { keyword, first } = found;
    const way = ways[found.turns++];
    if (way) {
      this.edits = this.edits.filter((edit) => edit[0] !== keyword.start);
      this.#replace(keyword, way);
    } else {
      const kind = keyword.text === 'class' ? 'var' : 'let';
      this.edits.push([first.start, first.start, `${kind} ${name} = `]);
      this.edits.push([found.end, found.end, ';']);
    }
    return true;
  }

  /** The first place, from 1, that declares `name`. */
  placeOf(name) {
    if (!this.tokens) this.#read();
    const found = this.declarations.find((one) => one.names.has(name));
    return found && place(this.code, found.names.get(name));
  }

  /** The place, from 1, behind one in `text`, from 0, which is this source's or the code itself. */
  placeBehind(text, line, column) {
    let at = offset(text, line, column);
    if (text !== this.code) {
      let shift = 0;
      for (const [start, end, replacement] of this.ordered()) {
        if (at < start + shift) break;
        const inside = at - shift - start;
        if (inside < replacement.length) return place(this.code, Math.min(start + inside, end));
        shift += replacement.length + lost(this.code, start, end, replacement) - (end - start);
      }
      at -= shift;
    }
    return place(this.code, at);
  }

  /** What was changed: `[start, end, replacement]`, from the first place to the last. */
  ordered() {
    return this.edits.sort((a, b) => a[0] - b[0]);
  }

  #read() {
    const isLong = this.code.length > MOST_CHARACTERS;
    const tokens = (this.tokens = (isLong ? null : tokenized(this.code)) ?? []);
    const assigned = this.#assigned();
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i];
      const before = tokens[i - 1]?.text;
      if (token.kind !== 'word' || before === '.' || before === '?.') continue;
      if (token.text === 'import') i = this.#import(i);
      else if (token.depth === 0 && token.text === 'export') i = this.#export(i);
      else if (token.depth === 0 && DECLARING.has(token.text)) this.#declare(i, assigned);
    }
  }

  /** Where names get values, apart from simple declarations: `[name, position]`. */
  #assigned() {
    const found = [];
    this.tokens.forEach((token, i) => {
      const before = this.tokens[i - 1]?.text;
      if (token.kind !== 'word' || before === '.' || DECLARING.has(before)) return;
      ASSIGNMENT.lastIndex = token.end;
      const isAssigned = before === '++' || before === '--' || ASSIGNMENT.test(this.code);
      if (isAssigned) found.push([token.text, token.start]);
    });
    return found;
  }

  #declare(i, assigned) {
    const { tokens } = this;
    const keyword = tokens[i];
    const isAsync = tokens[i - 1]?.text === 'async' && !keyword.newline;
    const first = isAsync ? tokens[i - 1] : keyword;
    const before = tokens[isAsync ? i - 2 : i - 1];
    if (keyword.text === 'class' || keyword.text === 'function') {
      const starts = !before || before.text === ';' || before.text === '}' || first.newline;
      const named = tokens[i + 1]?.text === '*' ? tokens[i + 2] : tokens[i + 1];
      if (!starts || CONTINUING.test(before?.text ?? ';') || named?.kind !== 'word') return;
      let last = i + 1;
      while (tokens[last] && !(tokens[last].depth === 0 && tokens[last].text === '{')) last++;
      do last++;
      while (tokens[last] && !(tokens[last].depth === 0 && tokens[last].text === '}'));
      if (!tokens[last]) return;
      const names = new Map([[named.text, named.start]]);
      this.declarations.push({ keyword, first, names, end: tokens[last].end, turns: 0 });
      return;
    }
    const names = new Map();
    let pattern = true;
    for (let j = i + 1; j < tokens.length; j++) {
      const { text, kind, depth, start, newline } = tokens[j];
      const continued = tokens[j - 1].text === ',' || tokens[j - 1].text === '=' || j === i + 1;
      if (depth === 0 && (text === ';' || (newline && !continued && DECLARING.has(text)))) break;
      if (depth === 0 && text === '=') pattern = false;
      if (depth === 0 && text === ',') pattern = true;
      if (pattern && kind === 'word' && !names.has(text)) names.set(text, start);
    }
    if (!names.size) return;
    this.declarations.push({ keyword, first, names, turns: 0 });
    // REPL mode lets `let` follow `let`, but neither `let` nor `class` follow `const`. What is
    // assigned to stays `const`, for the error that its author must see.
    const isConstant = assigned.some(([name, at]) => names.has(name) && names.get(name) !== at);
    if (keyword.text === 'const' && !isConstant) this.#replace(keyword, 'let  ');
  }

  #import(i) {
    const { tokens } = this;
    const next = tokens[i + 1];
    if (next?.text === '.') this.#replace(tokens[i], IMPORT);
    else if (next?.text === '(') {
      let last = i + 2;
      while (tokens[last] && !(tokens[last].depth === next.depth && tokens[last].text === ')')) last++;
      // A method of this name has a body.
      if (tokens[last + 1]?.text !== '{' || tokens[last + 1].newline) this.#replace(tokens[i], IMPORT);
    } else if (tokens[i].depth === 0) return this.#importDeclaration(i);
    return i;
  }

  #importDeclaration(start) {
    const { tokens } = this;
    let i = start + 1;
    const clause = [];
    const asked = [];
    let whole = null;
    while (tokens[i] && tokens[i].kind !== 'string') {
      const { text, kind } = tokens[i];
      if (text === '*' && tokens[i + 1]?.text === 'as') {
        whole = tokens[i + 2]?.text;
        i += 3;
      } else if (text === '{') {
        for (i++; tokens[i] && tokens[i].text !== '}'; i++) {
          const name = tokens[i].text;
          const renamed = tokens[i + 1]?.text === 'as';
          clause.push(renamed ? `${name}: ${tokens[i + 2]?.text}` : name);
          asked.push(tokens[i].kind === 'string' ? name : `'${name}'`);
          i += renamed ? 3 : 1;
          if (tokens[i]?.text !== ',') break;
        }
        if (tokens[i]?.text !== '}') return start;
        i++;
      } else if (kind === 'word' && (text !== 'from' || tokens[i + 1]?.kind !== 'string')) {
        clause.push(`default: ${text}`);
        asked.push("'default'");
        i++;
      } else if (text === ',' || text === 'from') i++;
      else return start;
    }
    if (!tokens[i]) return start;
    let last = i;
    let options = 'undefined';
    if (/^(?:with|assert)$/.test(tokens[i + 1]?.text) && tokens[i + 2]?.text === '{') {
      for (last = i + 3; tokens[last] && tokens[last].text !== '}'; ) last++;
      if (!tokens[last]) return start;
      options = `{with: ${this.code.slice(tokens[i + 2].start, tokens[last].end)}}`;
    }
    const call = `await ${IMPORT}(${tokens[i].text}, ${options}, [${asked.join(', ')}])`;
    let text = `void ${call};`;
    if (whole) text = `let ${whole} = ${call}${clause.length ? `, {${clause.join(', ')}} = ${whole}` : ''};`;
    else if (clause.length) text = `let {${clause.join(', ')}} = ${call};`;
    this.edits.push([tokens[start].start, tokens[last].end, text.replace(/\n/g, ' ')]);
    return last;
  }

  /** Nothing imports a block: what it exports is simply declared. */
  #export(i) {
    const { tokens } = this;
    const next = tokens[i + 1];
    let last = i;
    if (next?.text === 'default') last = i + 1;
    else if (next?.text === '{') {
      for (last = i + 2; tokens[last] && tokens[last].text !== '}'; ) last++;
      if (tokens[last + 1]?.text === 'from') return i;
    } else if (next?.text === '*' || !next) return i;
    if (tokens[last]) this.edits.push([tokens[i].start, tokens[last].end, '']);
    return last;
  }

  #replace(token, text) {
    this.edits.push([token.start, token.end, text]);
  }
}

/**
 * The place, from 1, in `code` of one, from 1, in `text`, which `edits` made of it. What was put in
 * a declaration's place is where that begins.
 */
function placeBefore(code, edits, text, line, column) {
  const at = offset(text, line - 1, column - 1);
  let shift = 0;
  for (const [start, end, replacement] of edits) {
    if (at < start + shift) break;
    const lines = lost(code, start, end, replacement);
    const length = replacement.length + lines;
    if (at < start + shift + length) return place(code, start);
    shift += length - (end - start);
  }
  return place(code, at - shift);
}

function offset(text, line, column) {
  return text.split('\n').slice(0, line).join('\n').length + (line > 0) + column;
}

/** How many lines a replacement lacks. */
function lost(code, start, end, replacement) {
  return code.slice(start, end).split('\n').length - replacement.split('\n').length;
}

function place(code, at) {
  const lines = code.slice(0, at).split('\n');
  return { line: lines.length, column: lines[lines.length - 1].length + 1 };
}

module.exports = { Source, IMPORT, placeBefore };
