import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { eventually, TestEnvironment } from './support/environment';

const LARGE = 60 << 20;

describe('uploads', () => {
  let env: TestEnvironment;
  let command: string;
  let key: string;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    const client = await env.client('sender');
    key = client.clientKey;
    command = await env.command(client.id);
  });
  afterAll(() => env.destroy());

  /** Says how much will come, and sends the first of it. */
  const begin = (authorization: string | undefined, size: number): ClientRequest => {
    const headers = { 'Content-Length': size, 'Content-Type': 'text/plain', ...(authorization && { Authorization: authorization }) };
    const upload = request(`${env.url}/api/commands/${command}/artifacts`, { method: 'POST', headers });
    upload.on('error', () => undefined).write('x');
    return upload;
  };
  const answerOf = async (upload: ClientRequest): Promise<number | undefined> => {
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };

  it('are refused before they have been read, where no agent sends them', async () => {
    for (const [authorization, status] of [[undefined, 401], ['Bearer sk_nobody_nothing', 401], [`Bearer ${env.token}`, 403]] as const) {
      const upload = begin(authorization, LARGE);
      expect(await answerOf(upload)).toBe(status);
      upload.destroy();
    }
  });

  it('are read a few at a time, and the next when one has gone', async () => {
    const stalled = Array.from({ length: 4 }, () => begin(`Bearer ${key}`, LARGE));
    const others = async (): Promise<void> => {
      for (let call = 0; call < 20; call++) await env.get(`/api/commands/${command}`).expect(200);
    };
    await eventually(() => expect(stalled.every(({ socket }) => socket?.bytesWritten)).toBe(true));
    await others();
    // Those four are being read. This one is short, and waits for one of them all the same.
    const next = begin(`Bearer ${key}`, 2);
    next.end('y');
    const answered = jest.fn();
    const answer = answerOf(next).finally(answered);
    await others();
    expect(answered).not.toHaveBeenCalled();
    stalled[0]?.destroy();
    expect(await answer).toBe(201);
    for (const upload of stalled) upload.destroy();
  });
});
