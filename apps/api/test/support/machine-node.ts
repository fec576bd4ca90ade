import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The machine's own Node, by which agents run: `npm` puts the one of the server before it. */
export const MACHINE_NODE =
  (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules')).map((folder) => join(folder, 'node')).find(existsSync) ?? process.execPath;

/** As `process.version` is there. */
export const machineNodeVersion = (): string => execFileSync(MACHINE_NODE, ['--version']).toString().trim();
