import { PERMISSIONS } from '@gwanje/contracts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { en } from './words/en';

const SERVER = join(__dirname, '../../../../../api/src');
const sources = readdirSync(SERVER, { recursive: true, encoding: 'utf8' })
  .filter((name) => /(?<!\.spec)\.ts$/.test(name))
  .map((name) => readFileSync(join(SERVER, name), 'utf8'));
const namesIn = (pattern: RegExp): string[] => [
  ...new Set(sources.flatMap((source) => [...source.matchAll(pattern)].flatMap(([, name]) => name ?? []))),
];

describe('the words of the audit log', () => {
  it('name every action that the server records, and every permission that it refuses by', () => {
    const modules = ['auth', 'enrolment', ...PERMISSIONS.map((name) => name.slice(0, name.indexOf('.')))];
    // `name: '…'` is a span of a trace.
    const actions = namesIn(new RegExp(`(?<!name: )'((?:${modules.join('|')})\\.[a-z_]+)'`, 'g'));
    expect(actions).toEqual(expect.arrayContaining(['auth.login', 'alerts.create_rule', 'system.retry_job']));
    const all = ['access', 'commands.start', ...PERMISSIONS, ...actions];
    expect(all.filter((action) => !Object.hasOwn(en.actions, action))).toEqual([]);
  });

  it('name every kind of thing that the server records something of', () => {
    const targets = namesIn(/\btype: '([a-z_]+)', id\b/g);
    expect(targets).toEqual(expect.arrayContaining(['user', 'alert_rule', 'policy', 'job']));
    const actors = Object.keys(en.by);
    expect(targets.filter((type) => !actors.includes(type) && !Object.hasOwn(en.targets, type))).toEqual([]);
  });
});
