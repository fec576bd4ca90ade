import { setTimeout as wait } from 'node:timers/promises';
import { now } from '../processes/clock';
import { noteOnce, Poster, type Reply } from '../simulator/poster';

export interface LoadSettings {
  url: string;
  token: string;
  /** Taken in turn. */
  clientIds: string[];
  sockets: number;
  /** Where the simulator tells what is settled; without it an answered command counts as done. */
  feedPort?: number;
  /** Beside the client and a running number: action, priority. */
  extra?: Record<string, unknown>;
}

/** One command that the server has taken. */
export interface Accepted {
  id: string;
  clientId: string;
  echo: number;
  sentAt: number;
  answeredAt: number;
}

/** No more lives end for this long: what is open is lost, and the read-back will say which. */
const SILENCE_MS = 120_000;

/** Sends single commands, at a pace or with a number of lives in flight, and writes down when. */
export class Generator {
  readonly troubles: string[] = [];
  private readonly poster: Poster;
  private accepted: Accepted[] = [];
  private sent = 0;
  /** Settled ids that are not answered yet, and what to do with answered ones when they are settled. */
  private readonly early = new Set<string>();
  private readonly open = new Map<string, () => void>();
  private lastNews = 0;

  constructor(private readonly settings: LoadSettings) {
    this.poster = new Poster(settings.url, settings.sockets);
  }

  settled(id: string): void {
    this.lastNews = now();
    const done = this.open.get(id);
    if (!done) return void this.early.add(id);
    this.open.delete(id);
    done();
  }

  /** `count` commands at even distances, whatever becomes of the earlier ones. */
  async paced(perSecond: number, count: number): Promise<void> {
    const began = now();
    const calls: Promise<void>[] = [];
    for (let n = 0; n < count; n++) {
      const due = began + (n * 1000) / perSecond;
      if (due > now()) await wait(due - now());
      calls.push(this.one());
    }
    await this.allOf(calls);
  }

  /** Keeps `inFlight` lives open for `seconds`, then waits for the last of them. */
  async closed(inFlight: number, seconds: number): Promise<void> {
    const end = now() + seconds * 1000;
    const worker = async (): Promise<void> => {
      while (now() < end) await this.one();
    };
    await this.allOf(Array.from({ length: inFlight }, worker));
  }

  call(path: string, body: object, token = this.settings.token): Promise<Reply> {
    return this.poster.post(path, token, body);
  }

  takeAccepted(): Accepted[] {
    const taken = this.accepted;
    this.accepted = [];
    return taken;
  }

  close(): void {
    this.poster.close();
  }

  /** One command, until it is settled. */
  private async one(): Promise<void> {
    const echo = this.sent++;
    const { clientIds, extra, feedPort } = this.settings;
    const clientId = clientIds[echo % clientIds.length] ?? '';
    const sentAt = now();
    try {
      const { status, body } = await this.call('/api/commands', {
        clientId,
        action: 'noop',
        payload: { echo },
        ...extra,
      });
      const answeredAt = now();
      this.lastNews = answeredAt;
      if (status !== 201) return this.refused(`POST /api/commands answered ${status} ${body.slice(0, 300)}`);
      const { id } = JSON.parse(body) as { id: string };
      this.accepted.push({ id, clientId, echo, sentAt, answeredAt });
      if (feedPort !== undefined && !this.early.delete(id))
        await new Promise<void>((resolve) => this.open.set(id, resolve));
    } catch (error) {
      await this.refused(`POST /api/commands: ${(error as Error).message}`);
    }
  }

  /** A server that refuses is not asked again at once. */
  private refused(text: string): Promise<void> {
    noteOnce(this.troubles, text);
    return wait(50);
  }

  private async allOf(work: Promise<void>[]): Promise<void> {
    this.lastNews = now();
    const over = new AbortController();
    const silence = (async () => {
      while (now() - this.lastNews < SILENCE_MS) await wait(500, undefined, { signal: over.signal });
      for (const release of this.open.values()) release();
      this.open.clear();
    })().catch(() => undefined);
    await Promise.all(work);
    over.abort();
    await silence;
  }
}
