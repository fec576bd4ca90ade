/** `node run-from-source.cjs <program.ts>`: runs a program of this repository without a build. */
const { transformSync } = require('@swc/core');
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { join, resolve } = require('node:path');
const options = require('./swc.cjs');

const library = (name) => join(__dirname, '..', '..', 'libs', name, 'src', 'index.ts');
const libraries = { '@gwanje/contracts': library('contracts'), '@gwanje/tracing': library('tracing') };
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => resolveFilename(libraries[request] ?? request, ...rest);
Module._extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { ...options, filename, sourceMaps: 'inline' });
  module._compile(code, filename);
};
require(resolve(process.argv[2]));
