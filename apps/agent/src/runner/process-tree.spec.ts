import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { killTree, markedProcesses, spawnMarked } from './process-tree';

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('killTree', () => {
  it('kills a descendant in a session of its own, and one that ignores SIGTERM', async () => {
    const id = randomUUID();
    const script = 'setsid sleep 300 & (trap "" TERM; while :; do sleep 0.1; done) & echo up; wait';
    const child = spawnMarked(id, 'sh', ['-c', script]);
    if (child.stdout) await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(markedProcesses(id).length).toBeGreaterThanOrEqual(3);
    await killTree(id, child.pid);
    expect(markedProcesses(id)).toEqual([]);
    expect(child.signalCode).toBe('SIGTERM');
  });
});
