import { Injectable } from '@nestjs/common';

/** Notes which agents have said something to this process, whatever it was; knows nothing of connections. */
@Injectable()
export class HeardAgents {
  private heard = new Set<string>();

  note(clientId: string): void {
    this.heard.add(clientId);
  }

  /** The clients whose agents were heard since it was asked last. */
  take(): ReadonlySet<string> {
    const taken = this.heard;
    this.heard = new Set();
    return taken;
  }
}
