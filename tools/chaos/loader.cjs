/**
 * `node loader.cjs <program.ts>`: runs a program of this repository from source, as the harness needs it. Comments `// kill point: <name>`
 * become calls that end the process by SIGKILL when the harness has armed that name over IPC; a planted bug (CHAOS_BUG, JSON of
 * `{ file, search, replace }[]`) is patched in; and the harness may shift the clock. Outside this loader a kill point is a comment.
 */
const { transformSync } = require('@swc/core');
const { createHash } = require('node:crypto');
const { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join, relative, resolve } = require('node:path');
const options = require('../jest/swc.cjs');

const ROOT = join(__dirname, '..', '..');
const MARKER = /^(\s*)\/\/ kill point: ([\w.-]+)$/gm;
const { CHAOS_FOLDER: folder, CHAOS_COMPILED: compiled, CHAOS_BUG: bug = '[]' } = process.env;
delete process.env.CHAOS_BUG;
const patches = JSON.parse(bug);

const library = (name) => join(ROOT, 'libs', name, 'src', 'index.ts');
const libraries = { '@gwanje/contracts': library('contracts'), '@gwanje/tracing': library('tracing') };
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => resolveFilename(libraries[request] ?? request, ...rest);
Module._extensions['.ts'] = (module, filename) => module._compile(compile(filename), filename);

/** A process is started again and again in one run: what was compiled once is kept. */
function compile(filename) {
  const source = mark(patch(readFileSync(filename, 'utf8'), relative(ROOT, filename)));
  const kept = join(compiled, createHash('sha256').update(filename + source).digest('hex'));
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  const { code } = transformSync(source, { ...options, filename, sourceMaps: 'inline' });
  mkdirSync(compiled, { recursive: true });
  writeFileSync(`${kept}.${process.pid}`, code);
  renameSync(`${kept}.${process.pid}`, kept);
  return code;
}

function patch(source, file) {
  for (const { search, replace } of patches.filter((one) => one.file === file)) {
    if (source.split(search).length !== 2) throw new Error(`planted bug: ${file} has not exactly once: ${search}`);
    source = source.replace(search, () => replace);
  }
  return source;
}

const mark = (source) => source.replace(MARKER, (_, indent, name) => `${indent}globalThis.killPoint('${name}');`);

const armed = new Map();
const seen = new Set();
globalThis.killPoint = (name) => {
  if (!seen.has(name)) {
    seen.add(name);
    appendFileSync(join(folder, 'kill-points-hit'), `${name}\n`);
  }
  const left = armed.get(name);
  if (left === undefined) return;
  if (left > 1) return void armed.set(name, left - 1);
  appendFileSync(join(folder, 'kill-points-fired'), `${name}\n`);
  process.kill(process.pid, 'SIGKILL');
};

/** What the system's clock says is off by this; monotonic time goes on. */
let clockOffset = 0;
const RealDate = Date;
globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + clockOffset);
    else super(...args);
  }
  static now() {
    return RealDate.now() + clockOffset;
  }
};

process.on('message', (message) => {
  if (message.arm) armed.set(message.arm, message.countdown);
  if (message.disarm === true) armed.clear();
  else if (message.disarm) armed.delete(message.disarm);
  if (message.clockOffset !== undefined) clockOffset = message.clockOffset;
});
process.channel?.unref();
/** An end that the program did not choose. */
process.on('uncaughtExceptionMonitor', (error) => appendFileSync(join(folder, 'crashes'), `${process.argv[2]}: ${error?.stack ?? error}\n\n`));
require(resolve(process.argv[2]));
