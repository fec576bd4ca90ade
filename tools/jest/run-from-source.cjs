/** `node run-from-source.cjs <program.ts>`: runs a program of this repository without a build. */
const { transformSync, version } = require('@swc/core');
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join, resolve } = require('node:path');
const options = require('./swc.cjs');

const ROOT = join(__dirname, '..', '..');
/** Tests start the same programs again and again: what was compiled once is kept. */
const KEPT = join(ROOT, '.gwanje', 'compiled');
const COMPILER = JSON.stringify({ version, options });

const library = (name) => join(ROOT, 'libs', name, 'src', 'index.ts');
const libraries = { '@gwanje/contracts': library('contracts'), '@gwanje/tracing': library('tracing') };

/** `edit` may change a source before it is compiled; it gets the text and the name of its file. */
function runFromSource(program, edit = (source) => source) {
  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = (request, ...rest) => resolveFilename(libraries[request] ?? request, ...rest);
  Module._extensions['.ts'] = (module, filename) =>
    module._compile(compile(edit(readFileSync(filename, 'utf8'), filename), filename), filename);
  require(resolve(program));
}

function compile(source, filename) {
  const kept = join(KEPT, createHash('sha256').update(`${COMPILER}\n${filename}\n${source}`).digest('hex'));
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  const { code } = transformSync(source, { ...options, filename, sourceMaps: 'inline' });
  mkdirSync(KEPT, { recursive: true });
  // Others may compile the same at this moment, and find the whole or nothing.
  writeFileSync(`${kept}.${process.pid}`, code);
  renameSync(`${kept}.${process.pid}`, kept);
  return code;
}

module.exports = { runFromSource };
if (require.main === module) runFromSource(process.argv[2]);
