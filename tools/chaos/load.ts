import { Agent, request } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { CommandState } from '@gwanje/contracts';
import { sleep } from '../servers/process';
import type { Call, EffectKind } from './history';
import type { Random } from './random';

export interface Machine {
  id: string;
  /** Where its shell commands write their lines. */
  oracle: string;
  /** Where its file commands write their files. */
  files: string;
}

export interface LoadSettings {
  port: number;
  token: string;
  machines: readonly Machine[];
  effectProgram: string;
  /** New commands a second. */
  rate: number;
  /** Of each hundred shell commands, those that fail; of each hundred calls, the cancels. */
  failing?: number;
  cancels?: number;
  /** Every shell command takes its time after its effect, too. */
  slow?: boolean;
  timeoutMs?: number;
}

interface Answer {
  status: number | null;
  body: Record<string, unknown>;
}

const PATIENCE_MS = 4_000;
const REPEATS = 8;
const REPEAT_MS = 500;
const REMEMBERED = 400;

/** Several clients that order, repeat, cancel, retry and read, and write down what each call was answered with. */
export class Load {
  readonly calls: Call[] = [];
  private readonly connections = new Agent({ keepAlive: true, maxSockets: 128 });
  private readonly recent: string[] = [];
  private readonly under = new Set<Promise<void>>();
  private stopping = false;
  private running?: Promise<void>;

  constructor(
    private readonly settings: LoadSettings,
    private readonly random: Random,
  ) {}

  start(): void {
    this.running = this.run();
  }

  /** Resolves when every call has its answer, or has been given up. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
    await Promise.all(this.under);
    this.connections.destroy();
  }

  private async run(): Promise<void> {
    const started = performance.now();
    for (let made = 0; !this.stopping; made++) {
      const due = started + (made * 1000) / this.settings.rate - performance.now();
      if (due > 0) await sleep(due);
      const call = this.next().finally(() => this.under.delete(call));
      this.under.add(call);
    }
  }

  private next(): Promise<void> {
    const dice = this.random.next();
    const cancels = (this.settings.cancels ?? 6) / 100;
    if (this.recent.length > 0 && dice < cancels) return this.change('cancel', this.random.pick(this.recent));
    if (this.recent.length > 0 && dice < cancels + 0.06) return this.change('retry', this.random.pick(this.recent));
    if (this.recent.length > 0 && dice < cancels + 0.1) return this.read(this.random.pick(this.recent));
    if (dice < cancels + 0.12) return this.orderBatch();
    return this.order(dice < 0.65 ? 'shell' : dice < 0.85 ? 'none' : 'file');
  }

  private async order(effect: EffectKind): Promise<void> {
    const { random } = this;
    const tag = `t-${randomUUID()}`;
    const machine = random.pick(this.settings.machines);
    const exitCode = effect === 'shell' && random.chance((this.settings.failing ?? 15) / 100) ? 3 : 0;
    const notBefore = random.chance(0.05) ? Date.now() + random.whole(200, 3_000) : null;
    const body = {
      clientId: machine.id,
      ...this.task(effect, tag, machine, exitCode),
      priority: random.chance(0.05) ? 10 : random.whole(0, 9),
      timeoutMs: this.settings.timeoutMs ?? 20_000,
      maxAttempts: random.chance(0.4) ? random.whole(2, 3) : 1,
      ...(random.chance(0.08) && { expiresAt: new Date(Date.now() + random.whole(500, 5_000)).toISOString() }),
      ...(notBefore && { notBefore: new Date(notBefore).toISOString() }),
    };
    const key = random.chance(0.75) ? randomUUID() : null;
    const call = { kind: 'create' as const, tag, key, effect, exitCode, clientId: machine.id, notBefore };
    await this.say('/api/commands', body, key, (at, status, answer) => {
      const id = status === 201 ? String(answer['id']) : null;
      this.calls.push({ ...call, at, status, id });
      if (id) this.remember(id);
    });
  }

  /** For every machine the same; the ids are not told. */
  async orderBatch(delayMs = 0): Promise<void> {
    const { machines, timeoutMs = 20_000 } = this.settings;
    const tag = `b-${randomUUID()}`;
    const key = randomUUID();
    const clientIds = machines.map(({ id }) => id);
    const body = { targets: { clientIds }, action: 'noop', payload: { echo: tag, delayMs }, timeoutMs };
    const call = { kind: 'create' as const, key, id: null, effect: 'none' as const, exitCode: 0, notBefore: null };
    await this.say('/api/commands/batch', body, key, (at, status) => {
      for (const clientId of clientIds) this.calls.push({ ...call, at, status, clientId, tag: `${tag}/${clientId}` });
    });
  }

  /** With a key it is said again until there is an answer, as a careful client does; without one it is said once. */
  private async say(
    path: string,
    body: object,
    key: string | null,
    note: (at: number, status: number | null, answer: Answer['body']) => void,
  ): Promise<void> {
    for (let tries = 0; tries < (key ? REPEATS : 1); tries++) {
      const at = Date.now();
      const { status, body: answer } = await this.call('POST', path, body, key ? { 'Idempotency-Key': key } : {});
      note(at, status, answer);
      if (status !== null) return;
      await sleep(REPEAT_MS);
    }
  }

  private task(
    effect: EffectKind,
    tag: string,
    { oracle, files }: Machine,
    exitCode: number,
  ): { action: string; payload: object } {
    const { random } = this;
    if (effect === 'none')
      return { action: 'noop', payload: { echo: tag, delayMs: random.chance(0.3) ? random.whole(10, 800) : 0 } };
    if (effect === 'file')
      return { action: 'file_put', payload: { path: `${files}/${tag}`, content: tag, overwrite: true } };
    const pause = (): string => (random.chance(0.3) ? (random.whole(1, 60) / 100).toFixed(2) : '0');
    return {
      action: 'shell',
      payload: {
        program: this.settings.effectProgram,
        args: [oracle, tag, pause(), this.settings.slow ? '1.5' : pause(), String(exitCode)],
      },
    };
  }

  /** One command, asked for once, at this server itself; true when it is taken. */
  async orderAt(port: number): Promise<boolean> {
    const tag = `p-${randomUUID()}`;
    const { id: clientId } = this.random.pick(this.settings.machines);
    const at = Date.now();
    const body = { clientId, action: 'noop', payload: { echo: tag } };
    const { status, body: answer } = await this.call('POST', '/api/commands', body, {}, port);
    const id = status === 201 ? String(answer['id']) : null;
    const call = { kind: 'create' as const, key: null, effect: 'none' as const, exitCode: 0, notBefore: null };
    this.calls.push({ ...call, at, status, id, tag, clientId });
    return id !== null;
  }

  private async change(kind: 'cancel' | 'retry', id: string): Promise<void> {
    const at = Date.now();
    const { status } = await this.call('POST', `/api/commands/${id}/${kind}`, {});
    this.calls.push({ kind, at, status, id });
  }

  private async read(id: string): Promise<void> {
    const at = Date.now();
    const { status, body } = await this.call('GET', `/api/commands/${id}`);
    const seen =
      status === 200
        ? { state: body['status'] as CommandState, attempt: body['attempt'] as number }
        : { state: null, attempt: null };
    this.calls.push({ kind: 'read', at, status, id, ...seen });
  }

  private remember(id: string): void {
    this.recent.push(id);
    if (this.recent.length > REMEMBERED) this.recent.shift();
  }

  /** `status` is null when the call may or may not have happened. */
  private call(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
    port = this.settings.port,
  ): Promise<Answer> {
    const { token } = this.settings;
    const text = body && JSON.stringify(body);
    return new Promise((resolve) => {
      const unknown = (): void => resolve({ status: null, body: {} });
      const outgoing = request(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          agent: this.connections,
          signal: AbortSignal.timeout(PATIENCE_MS),
          headers: {
            Authorization: `Bearer ${token}`,
            ...(text && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (response) => {
          let answer = '';
          response.on('data', (bytes: Buffer) => (answer += bytes.toString()));
          response.once('error', unknown);
          response.once('close', () => {
            const status = response.statusCode ?? 0;
            if (!response.complete || status >= 500 || status === 429) return unknown();
            resolve({ status, body: JSON.parse(answer || '{}') as Record<string, unknown> });
          });
        },
      );
      outgoing.once('error', unknown);
      outgoing.end(text);
    });
  }
}
