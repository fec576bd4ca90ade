import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * `describe` where the programs are installed and the test runs as root if it must, and a visible skip elsewhere.
 * `GWANJE_REQUIRE=cups,xvfb` makes an absence fail instead.
 */
export function describeWith(name: string, needs: { programs: string[]; files?: string[]; root?: boolean }): (title: string, tests: () => void) => void {
  const missing = [...needs.programs.filter((program) => !isInstalled(program)), ...(needs.files ?? []).filter((file) => !canRead(file))];
  if (needs.root && process.getuid?.() !== 0) missing.push('root');
  if (missing.length === 0 || required().includes(name)) return (title, tests) => describe(title, tests);
  return (title, tests) => describe.skip(`${title} (skipped: without ${missing.join(', ')})`, tests);
}

const required = (): string[] => (process.env['GWANJE_REQUIRE'] ?? '').split(',');

/** Debian keeps servers out of an ordinary user's PATH. */
const isInstalled = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].some((folder) => canRead(join(folder, program), constants.X_OK));

function canRead(path: string, mode = constants.R_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
