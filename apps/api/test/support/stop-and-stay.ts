import { loadConfig } from '../../src/core/config/config';
import { createServer } from '../../src/server';

/** A server that stops, in a process that goes on: what is refused to it then, and heard by nobody, ends the process otherwise than in order. */
async function main(): Promise<void> {
  const app = await createServer(loadConfig(process.env), false);
  await app.listen(0, '127.0.0.1');
  await app.close();
}

void main();
