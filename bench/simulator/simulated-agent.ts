import type { CommandFrame, OutputReport, ResultReport, SessionRequest } from '@gwanje/contracts';
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { backoffMs, spreadMs } from '../../apps/agent/src/waiting';
import { now } from '../processes/clock';
import type { FleetSettings, Life, PlantedFault, Tally } from './terms';
import type { Identity, Link, Transport, Word } from './transport';

export const OUTPUT = { stdout: 'the line of stdout\n', stderr: 'the line of stderr\n' };

/** What the agents of one process share. */
export interface Crew {
  readonly settings: FleetSettings;
  readonly transport: Transport;
  readonly tally: Tally;
  noteConnected(change: 1 | -1): void;
  noteTrouble(text: string): void;
  noteSettled(life: Life): void;
  dataOf(frame: CommandFrame): Record<string, unknown>;
  takeFault(): PlantedFault | undefined;
}

/** One agent without a machine: it receives, starts, answers, and does what a real one does when it gets no answer. */
export class SimulatedAgent {
  private link?: Link;
  private gone = false;
  private live = false;
  private hurries = false;
  /** Attempts received: a repeated frame is not run again. It stands for the journal. */
  private readonly known = new Map<string, number>();
  private readonly journal = randomUUID();
  private sessions = 0;

  constructor(
    readonly identity: Identity,
    private readonly fleet: Crew,
  ) {}

  /** Settles when the link is live, however many tries it takes; with the patience of a real agent between them. */
  async connect(): Promise<void> {
    this.gone = false;
    for (let tries = 0; !this.gone; tries++) {
      if (tries > 0) this.fleet.tally.reopened++;
      if (await this.open()) return;
      await wait(spreadMs(tries));
    }
  }

  cut(forGood: boolean): void {
    this.gone = forGood;
    this.hurries = true;
    this.link?.close();
  }

  /** At once where the fleet itself has cut the link: all of them at the same moment is what is looked at then. */
  private async comeBack(): Promise<void> {
    if (!this.hurries) await wait(spreadMs(0));
    this.hurries = false;
    if (!this.gone) await this.connect();
  }

  private open(): Promise<boolean> {
    return new Promise((resolve) => {
      this.link = this.fleet.transport.open(this.identity, this.session(), {
        live: () => {
          this.live = true;
          this.fleet.noteConnected(1);
          resolve(true);
        },
        command: (frame, arrivedAt) => void this.run(frame, arrivedAt),
        closed: (why) => {
          if (why !== undefined) this.fleet.noteTrouble(why);
          resolve(false);
          if (!this.live) return;
          this.live = false;
          this.fleet.noteConnected(-1);
          if (!this.gone) void this.comeBack();
        },
      });
    });
  }

  private session(): SessionRequest | undefined {
    if (this.fleet.settings.conduct === 'brief') return undefined;
    const inFlight = [...this.known].map(([id, attempt]) => ({ id, attempt, state: 'started' as const }));
    const ordinal = { journal: this.journal, number: ++this.sessions };
    return { version: 'simulator', platform: process.platform, actions: [{ name: 'noop' }], inFlight, ordinal };
  }

  private async run(frame: CommandFrame, arrivedAt: number): Promise<void> {
    const { id, attempt, priority } = frame;
    if (this.known.get(id) === attempt) {
      this.fleet.tally.repeated++;
      return;
    }
    this.known.set(id, attempt);
    this.fleet.tally.arrived++;
    const { conduct, output, workMs } = this.fleet.settings;
    if (conduct === 'full' && !(await this.say('start', id, { attempt }))) return;
    if (workMs > 0) await wait(workMs);
    if (output) {
      const chunks = (['stdout', 'stderr'] as const).map((stream, seq) => ({ seq, stream, text: OUTPUT[stream] }));
      await this.say('output', id, { attempt, chunks } satisfies OutputReport);
    }
    const data = this.fleet.dataOf(frame);
    const settle = (): void =>
      this.fleet.noteSettled({ id, clientId: this.identity.id, attempt, priority, arrivedAt, durableAt: now(), data });
    const fault = this.fleet.takeFault();
    if (fault === 'drop-result') return settle();
    const result: ResultReport = { attempt, success: true, data, durationMs: workMs };
    for (let times = fault === 'double-result' ? 2 : 1; times > 0; times--) {
      if (await this.say('result', id, result)) settle();
    }
    this.known.delete(id);
  }

  /** Repeats it, on the link that is there by then, until the server takes it; false when the server does not want it. */
  private async say(word: Word, id: string, said: object): Promise<boolean> {
    for (let tries = 0; !this.gone && this.link; tries++) {
      try {
        const { status, body } = await this.link.say(word, id, said);
        if (status < 300) return true;
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        this.fleet.noteTrouble(`${word} of ${id} answered ${status} ${text.slice(0, 300)}`);
        if (status < 500 && status !== 429 && status !== 408) return false;
      } catch (error) {
        this.fleet.noteTrouble(`${word}: ${(error as Error).message}`);
      }
      await wait(backoffMs(tries));
    }
    return false;
  }
}
