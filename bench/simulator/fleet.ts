import type { CommandFrame } from '@gwanje/contracts';
import { now } from '../processes/clock';
import { noteOnce } from './poster';
import { type Crew, SimulatedAgent } from './simulated-agent';
import { SseTransport } from './sse-transport';
import type { FleetSettings, Life, PlantedFault, Tally, TransportName } from './terms';
import type { Transport } from './transport';
import { WebSocketTransport } from './ws-transport';

const TRANSPORTS: Record<TransportName, new (url: string, connections: number) => Transport> = {
  sse: SseTransport,
  ws: WebSocketTransport,
};

/** Thousands of agents in one process; what they share, and what they lived through. */
export class Fleet implements Crew {
  readonly transport: Transport;
  readonly tally: Tally = { connected: 0, arrived: 0, settled: 0, repeated: 0, troubles: [], reopened: 0 };
  onSettled: (id: string) => void = () => undefined;
  private lives: Life[] = [];
  private runs = 0;
  private readonly agents: SimulatedAgent[];
  private readonly faults: PlantedFault[];
  private awaited?: { count: number; resolve: () => void };

  constructor(readonly settings: FleetSettings) {
    this.transport = new TRANSPORTS[settings.transport](settings.url, settings.sockets);
    this.faults = [...(settings.faults ?? [])];
    this.agents = settings.identities.map((identity) => new SimulatedAgent(identity, this));
  }

  /** Opens every link, at most `atOnce` at a time, and answers after how many ms all of them were live. */
  async connect(atOnce: number): Promise<number> {
    const [first] = this.agents;
    if (first) await this.transport.check(first.identity);
    const began = now();
    const live = new Promise<void>((resolve) => (this.awaited = { count: this.agents.length, resolve }));
    const queue = this.agents.values();
    const worker = async (): Promise<void> => {
      for (const agent of queue) await agent.connect();
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, this.agents.length) }, worker));
    if (this.tally.connected < this.agents.length) await live;
    return now() - began;
  }

  /** Cuts every link at the same moment; without `forGood` the agents come back, as agents do. */
  cut(forGood: boolean): void {
    for (const agent of this.agents) agent.cut(forGood);
  }

  noteConnected(change: 1 | -1): void {
    this.tally.connected += change;
    if (this.awaited && this.tally.connected >= this.awaited.count) this.awaited.resolve();
  }

  noteTrouble(text: string): void {
    noteOnce(this.tally.troubles, text);
  }

  noteSettled(life: Life): void {
    this.lives.push(life);
    this.tally.settled++;
    this.onSettled(life.id);
  }

  /** What this execution answers; unlike every other one, so that a second run of the same command cannot pass for the first. */
  dataOf(frame: CommandFrame): Record<string, unknown> {
    return { echo: frame.payload['echo'] ?? null, run: ++this.runs, exitCode: 0 };
  }

  /** Answers each planted fault once, in the middle of the work. */
  takeFault(): PlantedFault | undefined {
    if (this.runs < 10) return undefined;
    return this.faults.shift();
  }

  takeLives(): Life[] {
    const taken = this.lives;
    this.lives = [];
    return taken;
  }

  close(): void {
    this.cut(true);
    this.transport.close();
  }
}
