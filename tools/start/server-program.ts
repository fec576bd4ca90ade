import { join } from 'node:path';
import { ROOT } from './folder';

/**
 * How Node runs the built server, everywhere. What a call leaves lives as long as the commit that it waits for: in the 16 MiB that V8 has
 * for new objects by itself, a thousand calls at once are copied, and marked, again and again.
 */
export const SERVER = { file: join(ROOT, 'dist', 'apps', 'api', 'main.js'), flags: ['--max-semi-space-size=32'] };
