/** Loaded into the server by the benchmark: answers, over the channel to it, what only the process itself knows. It changes nothing. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { setTimeout as wait } from 'node:timers/promises';

let session;

const methods = {
  /** After the garbage is gone: what stays is held. */
  async memory() {
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.();
      await wait(100);
    }
    return process.memoryUsage();
  },
  cpuSeconds() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  async startProfile() {
    session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 500 });
    await session.post('Profiler.start');
  },
  async stopProfile(file) {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    writeFileSync(file, JSON.stringify(profile));
  },
};

process.on('message', async ({ number, method, argument }) => {
  if (!(method in methods)) return;
  try {
    process.send({ number, value: await methods[method](argument) });
  } catch (error) {
    process.send({ number, error: error.message });
  }
});
