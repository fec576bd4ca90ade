import { type Options, transformSync } from '@swc/core';
import { build, type Plugin } from 'esbuild';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { version as present } from '../../package.json';
import type { Addons } from './native-loader';

const ROOT = resolve(__dirname, '..', '..');
const options = createRequire(__filename)('../jest/swc.cjs') as Options;
const ADDONS = join(ROOT, 'node_modules', '@lmdb');
/** What Nest asks for only when it is used, which the agent does not. */
const UNUSED = [
  '@nestjs/microservices',
  '@nestjs/microservices/*',
  '@nestjs/websockets',
  '@nestjs/websockets/*',
  '@nestjs/platform-*',
];
const UNUSED_PACKAGES = [...UNUSED, 'class-transformer', 'class-transformer/*', 'class-validator'];

/**
 * Writes the agent as one file that needs nothing but Node, for each platform whose compiled part of lmdb is installed. Its first line
 * says what it is: the server reads the version there.
 */
export async function bundleAgent(file: string, version = present): Promise<void> {
  const addons = readAddons();
  await build({
    entryPoints: [join(ROOT, 'apps', 'agent', 'src', 'main.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'cjs',
    // Nest tells its parts apart by their names, too.
    keepNames: true,
    legalComments: 'none',
    external: UNUSED_PACKAGES,
    banner: { js: `// gwanje-agent ${version} (${Object.keys(addons).join(', ')})` },
    plugins: [versioned(version), decorated, embedded(addons)],
    logLevel: 'warning',
  });
}

/** The agent says the version that its file says. */
const versioned = (version: string): Plugin => ({
  name: 'versioned',
  setup(bundler) {
    bundler.onLoad({ filter: /apps[\\/]agent[\\/]src[\\/]version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)};`,
    }));
  },
});

/**
 * Nest needs the types of constructor parameters at run time; esbuild does not write them down. `require` stays `require`, as where the
 * agent runs from its folder: lmdb's other face would look for itself beside the bundle.
 */
const decorated: Plugin = {
  name: 'decorated',
  setup(bundler) {
    bundler.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const { code } = transformSync(readFileSync(path, 'utf8'), { ...options, filename: path, sourceMaps: false });
      return { contents: code, loader: 'js' };
    });
  },
};

/** Puts the compiled parts in. Nothing here is encoded with msgpack, so its own one may be missing: it is optional. */
const embedded = (addons: Addons): Plugin => ({
  name: 'embedded',
  setup(bundler) {
    bundler.onResolve({ filter: /^@gwanje\// }, ({ path }) => ({
      path: join(ROOT, 'libs', path.replace('@gwanje/', ''), 'src', 'index.ts'),
    }));
    bundler.onResolve({ filter: /^(node-gyp-build-optional-packages|msgpackr-extract)$/ }, ({ path }) => ({
      path,
      namespace: 'embedded',
    }));
    bundler.onLoad({ filter: /^node-gyp/, namespace: 'embedded' }, () => ({
      contents: `module.exports = require('./native-loader').loaderOf(${JSON.stringify(addons, null, 1)});`,
      resolveDir: __dirname,
    }));
    bundler.onLoad({ filter: /^msgpackr/, namespace: 'embedded' }, () => ({
      contents: `throw new Error('not in the bundle');`,
    }));
  },
});

/** Those that go by Node's stable interface: they serve every version of Node. */
function readAddons(): Addons {
  const found = readdirSync(ADDONS).flatMap((name) =>
    readdirSync(join(ADDONS, name))
      .filter((file) => /^node\.napi\b.*\.node$/.test(file))
      .map((file) => {
        const libc = /\.(glibc|musl)\./.exec(file)?.[1];
        const platform = name.replace(/^lmdb-/, '') + (libc ? `.${libc}` : '');
        return [platform, pack(readFileSync(join(ADDONS, name, file)))] as const;
      }),
  );
  return Object.fromEntries(found);
}

const pack = (bytes: Buffer): string =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }).toString('base64');
