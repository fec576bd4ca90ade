import * as os from 'node:os';
import type { Handler, HandlerResult } from './handler';

/** Owns the facts about the machine; it must never tell its environment, users or addresses. */
export class SystemInfoHandler implements Handler {
  readonly action = 'system_info';

  async run(): Promise<HandlerResult> {
    const cpus = os.cpus();
    const data = {
      hostname: os.hostname(),
      platform: os.platform(),
      release: os.release(),
      arch: os.arch(),
      cpus: { model: cpus[0]?.model.trim() ?? null, count: cpus.length },
      memory: { total: os.totalmem(), free: os.freemem() },
      loadAverage: os.loadavg(),
      uptimeSeconds: Math.round(os.uptime()),
      nodeVersion: process.version,
    };
    return { success: true, data };
  }
}
