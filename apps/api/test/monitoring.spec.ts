import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../../../tools/servers/ports';
import { stopChild } from '../../../tools/servers/process';
import { eventually, TestEnvironment } from './support/environment';
import { describeWith } from './support/programs';

const DEPLOY = resolve(__dirname, '../../../deploy');

jest.setTimeout(90_000);

describe('the figures of the server', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  /** The value of a sample, by its name and labels as they are written. */
  const figure = async (sample: string): Promise<number | undefined> => {
    const text = await (await fetch(`${env.url}/metrics`)).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };

  it('count commands, how long they took, and what is open', async () => {
    const before = (await figure('gwanje_commands_ended_total{action="noop",state="completed"}')) ?? 0;
    const dispatched = (await figure('gwanje_command_dispatch_seconds_count')) ?? 0;
    const [here, away] = [await env.client('here'), await env.client('away')];
    const agent = await env.connect(here);
    const id = await env.command(here.id);
    await env.command(away.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/result`, { success: true });
    await eventually(async () => {
      expect(await figure('gwanje_commands_ended_total{action="noop",state="completed"}')).toBe(before + 1);
      expect(await figure('gwanje_command_dispatch_seconds_count')).toBe(dispatched + 1);
      expect(await figure('gwanje_command_completion_seconds_count{action="noop"}')).toBeGreaterThan(0);
      expect(await figure('gwanje_commands_open{state="pending",action="noop"}')).toBe(1);
      expect(await figure('gwanje_clients{status="online"}')).toBe(1);
      expect(await figure('gwanje_streams{kind="agent"}')).toBe(1);
      expect(await figure('gwanje_queue_jobs{queue="dispatch",state="failed"}')).toBe(0);
      expect(await figure('gwanje_sweep_age_seconds')).toBeLessThan(10);
      expect(await figure('gwanje_audit_seal_lag_seconds')).toBeDefined();
      expect(await figure('gwanje_db_connections{pool="hot",state="waited_for"}')).toBe(0);
      expect(await figure('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
    }, 20_000);
  });
});

describe('the dashboard', () => {
  it('asks only for figures that there are', async () => {
    const env = await TestEnvironment.create();
    const text = await (await fetch(`${env.url}/metrics`)).text();
    await env.destroy();
    const there = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', kind]) => (kind === 'histogram' ? [`${name}_bucket`] : [name]));
    for (const file of ['grafana/gwanje.json', 'prometheus/rules.yml']) {
      const asked = new Set([...readFileSync(join(DEPLOY, file), 'utf8').matchAll(/\b(?:gwanje|nodejs)_\w+/g)].map(([name]) => name));
      expect([...asked].filter((name) => !there.includes(name))).toEqual([]);
    }
  });
});

describeWith('prometheus', { programs: ['prometheus', 'promtool'] })('a real Prometheus with the rules of deploy/', () => {
  let env: TestEnvironment;
  let folder: string;
  let prometheus: ChildProcess;
  let url: string;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    folder = mkdtempSync(join(tmpdir(), 'gwanje-prometheus-'));
    // As they are, but for the machine and for how long one waits.
    const faster = (text: string): string => text.replace(/(scrape_interval|evaluation_interval): 15s/g, '$1: 1s').replace(/for: \d+m/g, 'for: 1s');
    const config = faster(readFileSync(join(DEPLOY, 'prometheus/prometheus.yml'), 'utf8')).replace('127.0.0.1:3000', new URL(env.url).host);
    writeFileSync(join(folder, 'prometheus.yml'), config);
    writeFileSync(join(folder, 'rules.yml'), faster(readFileSync(join(DEPLOY, 'prometheus/rules.yml'), 'utf8')));
    url = `127.0.0.1:${await freePort()}`;
    prometheus = spawn('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${url}`], { stdio: 'ignore' });
  });
  afterAll(async () => {
    await stopChild(prometheus, 'SIGTERM');
    await env.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (path: string): Promise<Record<string, unknown>> => ((await (await fetch(`http://${url}/api/v1/${path}`)).json()) as { data: Record<string, unknown> }).data;
  const firing = async (): Promise<string[]> =>
    ((await ask('alerts'))['alerts'] as { state: string; labels: { alertname: string } }[]).filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);

  it('takes them without a complaint', () => {
    execFileSync('promtool', ['check', 'rules', join(DEPLOY, 'prometheus/rules.yml')], { stdio: 'ignore' });
    execFileSync('promtool', ['check', 'config', join(DEPLOY, 'prometheus/prometheus.yml')], { stdio: 'ignore' });
  });

  it('sounds the alarm when an agent dies, and no other', async () => {
    const agent = await env.connect(await env.client('machine'));
    await eventually(async () => {
      const { result } = (await ask(`query?query=${encodeURIComponent('gwanje_clients{status="online"}')}`)) as { result: { value: [number, string] }[] };
      expect(result.map(({ value }) => value[1])).toEqual(['1']);
    }, 30_000);
    expect(await firing()).toEqual([]);
    agent.disconnect();
    await eventually(async () => expect(await firing()).toEqual(['GwanjeClientsOffline']), 30_000);
  });
});
