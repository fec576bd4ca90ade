import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tools/start/folder';
import { TRANSPORT_NAMES } from './simulator/terms';

const RUN_MS = 300_000;

interface Figures {
  faults: string[];
  commandsReadBack: number;
  scenarios: { name: string; transport?: string; figures: { name: string; value: number }[] }[];
}

describe('npm run bench', () => {
  let folder = '';
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'gwanje-bench-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs it as its users do; answers how it ended, what it printed, and the figures. */
  function bench(
    name: string,
    ...args: string[]
  ): Promise<{ code: number; output: string; svg: string; figures: Figures }> {
    const [json, svg] = [join(folder, `${name}.json`), join(folder, `${name}.svg`)];
    const command = [
      '--import',
      'tsx',
      join('bench', 'main.ts'),
      'latency',
      '--quick',
      '--json',
      json,
      '--svg',
      svg,
      ...args,
    ];
    return new Promise((resolve) => {
      execFile(process.execPath, command, { cwd: ROOT, timeout: RUN_MS }, (error, stdout, stderr) => {
        const output = stdout + stderr;
        const read = (file: string): string => {
          try {
            return readFileSync(file, 'utf8');
          } catch (cause) {
            throw new Error(output, { cause });
          }
        };
        resolve({
          code: error ? Number(error.code) : 0,
          output,
          svg: read(svg),
          figures: JSON.parse(read(json)) as Figures,
        });
      });
    });
  }

  it(
    'measures the latency beside the limits of its parts, and finds nothing lost or doubled',
    async () => {
      const { code, output, svg, figures } = await bench('sound');
      expect({ code, faults: figures.faults, output }).toMatchObject({ code: 0, faults: [] });
      expect(figures.commandsReadBack).toBeGreaterThan(50);
      expect(figures.scenarios.map(({ name }) => name)).toEqual(['limits', 'latency']);
      for (const { figures: measured } of figures.scenarios) {
        for (const { name, value } of measured) expect({ name, sound: value > 0 }).toEqual({ name, sound: true });
      }
      expect(svg).toMatch(/^<svg [^]*create → agent has it[^]*<\/svg>\n$/);
    },
    RUN_MS,
  );

  it.each(TRANSPORT_NAMES)(
    'fails over %s when a result is called sent and never was, and when a command is answered twice',
    async (transport) => {
      const planted = ['--plant-fault', 'drop-result', '--plant-fault', 'double-result'];
      const { code, figures } = await bench(`faulty-${transport}`, '--transport', transport, ...planted);
      expect(code).toBe(1);
      const lost = /^lost: command \S+ is running, not completed$/;
      const doubled = /^doubled: command \S+ was run and answered more than once$/;
      expect(figures.faults).toEqual(
        expect.arrayContaining([expect.stringMatching(lost), expect.stringMatching(doubled)]),
      );
      // Of the two commands, and of no other.
      expect(new Set(figures.faults.map((fault) => /command ([0-9a-f-]{36})/.exec(fault)?.[1])).size).toBe(2);
      expect(figures.scenarios.map((scenario) => scenario.transport)).toEqual([transport]);
    },
    RUN_MS,
  );
});
