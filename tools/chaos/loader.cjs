/**
 * `node loader.cjs <program.ts>`: runs a program of this repository from source, as the harness needs it. Comments `// kill point: <name>`
 * become calls that end the process by SIGKILL when the harness has armed that name over IPC; a planted bug (CHAOS_BUG, JSON of
 * `{ file, search, replace }[]`) is patched in; and the harness may shift the clock. Outside this loader a kill point is a comment.
 */
const { appendFileSync } = require('node:fs');
const { join, relative } = require('node:path');
const { runFromSource } = require('../jest/run-from-source.cjs');

const ROOT = join(__dirname, '..', '..');
const MARKER = /^(\s*)\/\/ kill point: ([\w.-]+)$/gm;
const { CHAOS_FOLDER: folder, CHAOS_BUG: bug = '[]' } = process.env;
delete process.env.CHAOS_BUG;
const patches = JSON.parse(bug);

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
runFromSource(process.argv[2], (source, filename) => mark(patch(source, relative(ROOT, filename))));
