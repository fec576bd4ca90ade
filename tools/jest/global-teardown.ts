import { rmSync } from 'node:fs';

export default async function tearDown(): Promise<void> {
  const started = globalThis.gwanjeServers;
  if (!started) return;
  await Promise.allSettled(started.servers.map((server) => server.stop()));
  rmSync(started.folder, { recursive: true, force: true });
}
