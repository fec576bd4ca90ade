import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { DRAWING, VirtualDisplay } from './support/display';
import { download } from './support/download';
import { eventually, TestEnvironment } from './support/environment';
import { PRINTING, PrintServer } from './support/print-server';
import { describeWith } from './support/programs';
import { RealAgent } from './support/real-agent';

/** A printer takes its time. */
const PRINT_MS = 30_000;

jest.setTimeout(90_000);

describeWith('cups', PRINTING)('a real agent at a printer', () => {
  let env: TestEnvironment;
  let spooler: PrintServer;
  let agent: RealAgent;
  let clientId: string;
  const titles: string[] = [];

  beforeAll(async () => {
    spooler = await PrintServer.start();
    env = await TestEnvironment.create();
    const client = await env.client('printer-001');
    clientId = client.id;
    agent = await new RealAgent({ serverUrl: env.url, clientKey: client.clientKey, env: { CUPS_SERVER: spooler.address } }).start();
  });
  afterAll(async () => {
    await agent?.destroy();
    await env?.destroy();
    for (const path of titles.flatMap((title) => spooler.printed(title))) rmSync(path);
    await spooler?.stop();
  });

  const document = (): { title: string; filePath: string } => {
    const title = randomUUID().replaceAll('-', '');
    const filePath = join(agent.folder, `${title}.txt`);
    writeFileSync(filePath, 'Gwanje prints\n');
    titles.push(title);
    return { title, filePath };
  };
  const print = (payload: object): Promise<string> => env.command(clientId, { action: 'print', payload: { printer: 'PDF', ...payload } });
  /** Waits for the spooler to have it, and answers the job's id. */
  const spooled = async (id: string): Promise<string> => {
    let job: string | undefined;
    await eventually(async () => {
      const rows = await env.sql<{ text: string }>(`SELECT text FROM command_outputs WHERE command_id = $1 AND stream = 'progress'`, [id]);
      job = /spooled as ([\w-]+)/.exec(rows.map(({ text }) => text).join())?.[1];
      if (!job) throw new Error('not spooled yet');
    });
    return job ?? '';
  };

  it('prints a document with its copies and sides, and waits until the spooler is done with it', async () => {
    const { title, filePath } = document();
    const id = await print({ filePath, copies: 2, options: { duplex: true } });
    const { result } = (await env.reaches(id, 'completed', PRINT_MS)) as { result: { data: { jobId: string } } };
    expect(result.data).toEqual({ jobId: expect.stringMatching(/^PDF-\d+$/), state: 'completed' });
    const job = result.data.jobId.replace('PDF-', '');
    expect(spooler.pages).toContain(`${job} total 2 two-sided-long-edge`);
    const pdfs = spooler.printed(title);
    expect(pdfs).toHaveLength(1);
    expect(readFileSync(pdfs[0] ?? '').subarray(0, 5).toString()).toBe('%PDF-');
  });

  it('is not done before the spooler is, and never prints twice after a crash', async () => {
    await spooler.call('cupsdisable', 'PDF');
    const { title, filePath } = document();
    const id = await print({ filePath });
    const job = await spooled(id);
    expect(await spooler.call('lpstat', '-o')).toContain(job);
    await agent.kill();
    await agent.start();
    await env.reaches(id, 'indeterminate');
    await spooler.call('cupsenable', 'PDF');
    await eventually(() => expect(spooler.printed(title)).toHaveLength(1), PRINT_MS);
    const { filePath: next } = document();
    await env.reaches(await print({ filePath: next }), 'completed', PRINT_MS);
    expect(spooler.printed(title)).toHaveLength(1);
    expect(await spooler.call('lpstat', '-o')).toBe('');
  });

  it('takes a cancelled document out of the queue', async () => {
    await spooler.call('cupsdisable', 'PDF');
    const { title, filePath } = document();
    const id = await print({ filePath });
    await spooled(id);
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    await env.reaches(id, 'cancelled');
    expect(await spooler.call('lpstat', '-o')).toBe('');
    await spooler.call('cupsenable', 'PDF');
    expect(spooler.printed(title)).toEqual([]);
  });

  it('fails when the spooler gives up, or does not take the document', async () => {
    const gone = await env.reaches(await print({ filePath: document().filePath, printer: 'gone' }), 'failed', PRINT_MS);
    expect(gone).toMatchObject({ errorMessage: expect.stringMatching(/gone-\d+ was aborted/), result: { data: { state: 'aborted' } } });
    const nowhere = await env.reaches(await print({ filePath: join(agent.folder, 'nothing.txt') }), 'failed');
    expect(nowhere['errorMessage']).toContain('No such file');
    const unknown = await env.reaches(await print({ filePath: document().filePath, printer: 'nobody' }), 'failed');
    expect(unknown['errorMessage']).toContain('does not exist');
  });
});

describeWith('xvfb', DRAWING)('a real agent at a screen', () => {
  let env: TestEnvironment;
  let display: VirtualDisplay;
  let agent: RealAgent;
  let clientId: string;

  beforeAll(async () => {
    display = await VirtualDisplay.start(320, 200);
    env = await TestEnvironment.create();
    const client = await env.client('kiosk-001');
    clientId = client.id;
    agent = await new RealAgent({ serverUrl: env.url, clientKey: client.clientKey, env: { DISPLAY: display.name } }).start();
  });
  afterAll(async () => {
    await agent?.destroy();
    await env?.destroy();
    await display?.stop();
  });

  it('takes a picture of what is on it', async () => {
    await display.draw('#ff8000', '#0040c0');
    const id = await env.command(clientId, { action: 'screenshot', payload: {} });
    const { result } = (await env.reaches(id, 'completed')) as { result: { data: { artifactId: string; size: number } } };
    const bytes = await download(env, id, result.data.artifactId);
    expect(bytes).toHaveLength(result.data.size);
    const { width, height, data } = PNG.sync.read(bytes);
    expect([width, height]).toEqual([320, 200]);
    const colours = new Set<string>();
    for (let at = 0; at < data.length; at += 4) colours.add(data.subarray(at, at + 3).toString('hex'));
    expect([...colours].sort()).toEqual(['0040c0', 'ff8000']);
  });

  it('says why there is no picture', async () => {
    const id = await env.command(clientId, { action: 'screenshot', payload: { display: ':9999' } });
    expect((await env.reaches(id, 'failed'))['errorMessage']).toContain('no screenshot');
  });
});
