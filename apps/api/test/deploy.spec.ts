import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describeWith } from './support/programs';

const ROOT = resolve(__dirname, '../../..');
const PROFILES = ['rabbitmq', 'monitoring', 'agent', 'proxy'].flatMap((profile) => ['--profile', profile]);
const SECRETS = { POSTGRES_PASSWORD: 'a', REDIS_PASSWORD: 'b', JWT_SECRET: 'c', ADMIN_EMAIL: 'd', ADMIN_PASSWORD: 'e' };

describeWith('docker-compose', { programs: ['docker-compose'] })('docker-compose.yml', () => {
  const config = (env: Record<string, string>): string =>
    execFileSync('docker-compose', [...PROFILES, 'config'], { cwd: ROOT, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] }).toString();

  it('is taken by docker-compose, with every profile', () => {
    const text = config(SECRETS);
    for (const name of ['api', 'gateway', 'worker', 'agent', 'postgres', 'redis', 'rabbitmq', 'prometheus', 'grafana', 'proxy']) expect(text).toMatch(new RegExp(`^  ${name}:`, 'm'));
  });

  it.each(Object.keys(SECRETS))('has no default for %s', (name) => {
    expect(() => config({ ...SECRETS, [name]: '' })).toThrow(`set ${name} in .env`);
  });
});
