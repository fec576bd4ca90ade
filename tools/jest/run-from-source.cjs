/** `node run-from-source.cjs <program.ts>`: runs a program of this repository without a build. */
const { transformSync } = require('@swc/core');
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { join, resolve } = require('node:path');
const options = require('./swc.cjs');

const contracts = join(__dirname, '..', '..', 'libs', 'contracts', 'src', 'index.ts');
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => resolveFilename(request === '@gwanje/contracts' ? contracts : request, ...rest);
Module._extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { ...options, filename, sourceMaps: 'inline' });
  module._compile(code, filename);
};
require(resolve(process.argv[2]));
