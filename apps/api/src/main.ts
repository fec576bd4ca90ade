import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { loadConfig } from './core/config/config';
import { Log } from './core/logging/log';
import { tendSecrets } from './secrets';
import { createServer } from './server';

/** Percent by which the heap may grow before it is collected: what streams through (seals, exports) then leaves the process small. */
const HEAP_GROWING_PERCENT = 60;
/** Connections that the system holds until they are taken: thousands of agents come back at the same moment. */
const BACKLOG = 4_096;

async function main(): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  const secretsAt = process.argv.indexOf('secrets');
  if (secretsAt > 0) {
    const isDone = await tendSecrets(loadConfig({ REDIS_URL: 'redis://unused', ...process.env }), process.argv.slice(secretsAt + 1));
    process.exit(isDone ? 0 : 1);
  }
  const config = loadConfig(process.env);
  const logger = new Log(config);
  const app = await createServer(config, logger);
  stopOnSignal(app);
  await app.listen({ port: config.PORT, host: config.HOST, backlog: BACKLOG });
  logger.log(`listening on port ${config.PORT}`, 'Gwanje');
}

/** One orderly stop, whoever asks for it: a signal, or the parent process that is gone. */
function stopOnSignal(app: NestFastifyApplication): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void app.close().finally(() => process.exit(0));
  };
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.on(event, stop);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
