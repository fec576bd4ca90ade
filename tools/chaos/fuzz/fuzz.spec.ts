import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, dropDatabase } from '../../../apps/api/test/support/environment';
import { buildAll } from '../../start/build';
import { Launcher } from '../../start/launcher';
import { routesOf } from './document';
import { describeFuzz, fuzz } from './fuzz';
import { Target } from './target';
import { redisOfThisWorker } from '../../../apps/api/test/support/redis-of-this-worker';

const CALLS = 4_000;
const SEED = 42;

describe('malformed calls, made from the API document', () => {
  let folder: string;
  let databaseUrl: string;
  let target: Target;
  beforeAll(async () => {
    // The document of a server that runs from source does not know the fields of bodies.
    await buildAll(new Launcher(), ['api']);
    folder = mkdtempSync(join(tmpdir(), 'gwanje-fuzz-'));
    databaseUrl = await createDatabase();
    target = await Target.start({ databaseUrl, redisUrl: redisOfThisWorker(), folder });
  }, 180_000);
  afterAll(async () => {
    await target?.stop();
    rmSync(folder, { recursive: true, force: true });
    await dropDatabase(databaseUrl);
  });

  it('know the fields of what the routes take', async () => {
    const routes = routesOf(await target.document());
    const create = routes.find(({ method, path }) => `${method} ${path}` === 'POST /api/commands');
    expect(create?.body?.fields).toEqual(expect.arrayContaining(['clientId', 'action', 'payload', 'timeoutMs']));
    expect(create?.body?.usual).toMatchObject({ clientId: 'x', action: 'x' });
    expect(routes.filter(({ body }) => body && body.fields.length > 0).length).toBeGreaterThan(20);
  });

  it('are answered, below 500 and as problems, and end nothing', async () => {
    const outcome = await fuzz(target, SEED, CALLS);
    process.stdout.write(`${describeFuzz(outcome)}\n`);
    expect(outcome.faults).toEqual([]);
    expect(outcome.untried).toEqual([]);
    expect(outcome.sent).toBe(CALLS);
    expect([...outcome.byStatus.keys()].filter((status) => status >= 500 || status === 0)).toEqual([]);
  }, 180_000);
});
