import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleAgent } from './bundle';

const DEPLOY = resolve(__dirname, '..', '..', 'deploy');

/** `npm run build:agent [-- FOLDER]`: writes the agent as one file, and beside it the script that installs it. */
async function main(folder = join('dist', 'agent')): Promise<void> {
  const file = resolve(folder, 'agent.js');
  await bundleAgent(file);
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

void main(process.argv[2]);
