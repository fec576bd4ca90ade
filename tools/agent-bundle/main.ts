import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleAgent } from './bundle';
import { makeKey, signBundle } from './signing';

const DEPLOY = resolve(__dirname, '..', '..', 'deploy');

/**
 * `npm run build:agent [-- FOLDER] [--sign KEYFILE] [--as VERSION]`: writes the agent as one file, and beside it the script that installs it
 * and, with a key, its signature. `--make-key FILE` makes such a key.
 */
async function main(): Promise<void> {
  const options = { sign: { type: 'string' }, as: { type: 'string' }, 'make-key': { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values['make-key']) return makeKey(values['make-key']);
  const [folder = join('dist', 'agent')] = positionals;
  const file = resolve(folder, 'agent.js');
  for (const ending of ['sig', 'pub']) rmSync(`${file}.${ending}`, { force: true });
  await bundleAgent(file, values.as);
  if (values.sign) signBundle(file, values.sign);
  writeFileSync(resolve(folder, 'install.sh'), installScript());
  console.log(`${file}: ${(statSync(file).size / 1_048_576).toFixed(1)} MiB`);
}

/** With the definitions of the services in it; what only the server knows stays open. */
function installScript(): string {
  const read = (...path: string[]): string => readFileSync(join(DEPLOY, ...path), 'utf8').trim();
  return readFileSync(join(DEPLOY, 'agent', 'install.sh'), 'utf8')
    .replace('@SYSTEMD_UNIT@', () => read('systemd', 'gwanje-agent.service'))
    .replace('@LAUNCHD_PLIST@', () => read('launchd', 'gwanje.agent.plist'));
}

void main();
