import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createClients } from './installation/clients';
import { CpuMeter } from './installation/cpu';
import type { Installation } from './installation/installation';
import { summarize } from './installation/profile';
import type { LoadMethods } from './load/child';
import type { Accepted, LoadSettings } from './load/generator';
import type { Options } from './options';
import { Child } from './processes/child';
import { now } from './processes/clock';
import { type Claims, ReadBack } from './read-back';
import type { Curve } from './report/figures';
import type { SimulatorMethods } from './simulator/child';
import type { FleetSettings, Life, TransportName } from './simulator/terms';
import type { Identity } from './simulator/transport';

/** Nothing moves for this long: what is missing by then is lost. */
const SILENCE_MS = 120_000;
/** Connections that are opened at the same time. */
const AT_ONCE = 200;
/** An access token lives for ten minutes. */
const SESSION_MS = 300_000;

/** Where the load goes: the server, or the loop in memory that stands for it. */
export interface Target {
  url: string;
  token: string;
}

/** What one scenario works with: the installation, the simulator and the load generator, and the proof that nothing was lost. */
export class Bench {
  readonly curves: Curve[] = [];
  /** Of the agents of the scenario that runs now. */
  transport: TransportName = 'sse';
  faults: string[] = [];
  /** Figures of scenarios that ran before, by name: the limits, for ratios. */
  readonly known = new Map<string, number>();
  readonly simulator = new Child<SimulatorMethods>('the simulator', join(__dirname, 'simulator', 'child.ts'));
  readonly load = new Child<LoadMethods>('the load generator', join(__dirname, 'load', 'child.ts'));
  /** Where everything goes in the place of the server. */
  private loop?: Target;
  private session?: Target & { since: number };
  private kept: Life[] = [];
  private feedPort = 0;
  private fleets = 0;
  private profiles = 0;
  private checked = 0;

  constructor(
    readonly installation: Installation,
    readonly options: Options,
    readonly say: (line: string) => void,
  ) {}

  get quick(): boolean {
    return this.options.quick;
  }

  /** The first in a real run, the second in a quick one. */
  size<T>(whole: T, quick: T): T {
    return this.quick ? quick : whole;
  }

  /** The server of this scenario, with an access token that is good for a while. */
  async server(): Promise<Target> {
    const { url } = this.installation.api;
    if (this.session?.url !== url || now() - this.session.since > SESSION_MS) {
      this.session = { url, token: await this.installation.logIn(), since: now() };
    }
    return { url, token: this.session.token };
  }

  /** Sends agents and load to `loop` instead of the server while `work` runs. */
  async instead<T>(loop: Target, work: () => Promise<T>): Promise<T> {
    this.loop = loop;
    try {
      return await work();
    } finally {
      this.loop = undefined;
      await this.disconnect();
    }
  }

  /** Ends all agents: they do not come back. */
  disconnect(): Promise<void> {
    return this.simulator.call('cut', { forGood: true });
  }

  /** Machines that are not connected. The group has their common name. */
  clients(count: number, { concurrency = 4 } = {}): Promise<Identity[]> {
    const prefix = `m${++this.fleets}`;
    return createClients(this.installation.database, prefix, count, concurrency, prefix);
  }

  /** The group that `clients` put the last machines into. */
  get group(): string {
    return `m${this.fleets}`;
  }

  /** Connects these machines in the place of those that were connected before; answers after how many ms all were live. */
  async connect(identities: Identity[], settings: Partial<FleetSettings> = {}): Promise<number> {
    const { url } = this.loop ?? this.installation.api;
    const { transport } = this;
    const { faults } = this.options;
    this.feedPort = await this.simulator.call('prepare', {
      url,
      identities,
      transport,
      conduct: 'full',
      output: false,
      workMs: 0,
      sockets: 128,
      faults,
      ...settings,
    });
    return this.simulator.call('connect', AT_ONCE);
  }

  /** Points the load generator at these machines. `follow`: a command counts until its life is over, not until it is answered. */
  async aim(
    clientIds: string[],
    { follow = true, sockets = 64, extra }: { follow?: boolean; sockets?: number; extra?: LoadSettings['extra'] } = {},
  ): Promise<void> {
    const target = this.loop ?? (await this.server());
    await this.load.call('prepare', {
      ...target,
      clientIds,
      sockets,
      ...(follow && { feedPort: this.feedPort }),
      ...(extra && { extra }),
    });
  }

  /** One command for each machine of a group. */
  async batch(
    group: string,
    extra: Record<string, unknown> = {},
  ): Promise<{ sentAt: number; answeredAt: number; batchId: string; count: number }> {
    const { token } = this.loop ?? (await this.server());
    const { sentAt, answeredAt, status, body } = await this.load.call('call', {
      path: '/api/commands/batch',
      token,
      body: { targets: { groups: [group] }, action: 'noop', payload: {}, ...extra },
    });
    if (status !== 201) throw new Error(`POST /api/commands/batch answered ${status} ${body.slice(0, 300)}`);
    return { sentAt, answeredAt, ...(JSON.parse(body) as { batchId: string; count: number }) };
  }

  /** Waits until the agents have settled so many commands since they were made, or nothing moves any more. */
  async settled(count: number): Promise<void> {
    let last = -1;
    for (let lastChange = now(); ; await wait(20)) {
      const { settled, troubles } = await this.simulator.call('tally', null);
      if (settled >= count) return;
      if (settled !== last) lastChange = now();
      last = settled;
      if (now() - lastChange > SILENCE_MS)
        return this.say(`  only ${settled} of ${count} settled. ${troubles.join('; ')}`);
    }
  }

  beginReadBack(): Promise<ReadBack> {
    return ReadBack.begin(this.installation.database);
  }

  /** Takes what both sides have written down, and holds it against PostgreSQL; faults fail the whole run. */
  async prove(readBack: ReadBack, claims: Partial<Claims> = {}): Promise<{ accepted: Accepted[]; lives: Life[] }> {
    const accepted = claims.accepted ?? (await this.load.call('accepted', null));
    const lives = claims.lives ?? (await this.allLives());
    const { commands, faults } = await readBack.verify({ batches: [], state: 'completed', ...claims, accepted, lives });
    this.checked += commands;
    this.faults = this.faults.concat(faults);
    for (const fault of faults.slice(0, 5)) this.say(`  FAULT ${fault}`);
    if (faults.length > 5) this.say(`  and ${faults.length - 5} more`);
    const troubles = await this.load.call('troubles', null);
    const { troubles: more } = await this.simulator.call('tally', null);
    for (const trouble of [...troubles, ...more]) this.say(`  trouble: ${trouble}`);
    this.say(
      `  ${commands} commands read back from PostgreSQL, ${faults.length === 0 ? 'none lost, none doubled' : `${faults.length} faults`}`,
    );
    return { accepted, lives };
  }

  /** What the agents have lived through since they were last asked; kept for the proof. */
  async newLives(): Promise<Life[]> {
    const lives = await this.simulator.call('lives', null);
    this.kept = this.kept.concat(lives);
    return lives;
  }

  /** All of it, for the proof. */
  async allLives(): Promise<Life[]> {
    await this.newLives();
    const all = this.kept;
    this.kept = [];
    return all;
  }

  /** Commands that were read back so far. */
  get proven(): number {
    return this.checked;
  }

  /** Counts from now on what everybody uses, the server (or what stands for it) first. */
  meterCpu(server = this.installation.api.pid): CpuMeter {
    const { postgres, redisPid } = this.installation;
    return new CpuMeter({
      server,
      PostgreSQL: postgres.pid,
      Redis: redisPid,
      agents: this.simulator.pid,
      load: this.load.pid,
    });
  }

  /** With `--cpu-prof`, writes down where the server spends its time meanwhile. */
  async profiled<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (!this.options.cpuProf) return work();
    const { api } = this.installation;
    await api.startProfile();
    try {
      return await work();
    } finally {
      const file = join(this.options.folder, `${name}-${++this.profiles}.cpuprofile`);
      await api.stopProfile(file);
      this.say(`  ${file}\n${summarize(file, 15)}`);
    }
  }

  kill(): void {
    this.simulator.kill();
    this.load.kill();
  }

  async stop(): Promise<void> {
    await this.simulator.stop();
    await this.load.stop();
  }
}
