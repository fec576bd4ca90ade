import { Injectable } from '@nestjs/common';
import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { AgentConfig } from '../config';

interface Request extends Omit<RequestInit, 'dispatcher' | 'headers'> {
  headers?: Record<string, string>;
}

/** Owns the HTTP connections to the server, which are kept between requests; it must never know what is said over them. */
@Injectable()
export class Connections {
  private pool = new Agent();

  constructor(private readonly config: AgentConfig) {}

  /** One request to this path, as this client. Rejects when there is no answer. */
  fetch(path: string, { headers, ...request }: Request = {}): Promise<Response> {
    const authorization = { Authorization: `Bearer ${this.config.clientKey}` };
    return fetch(this.config.serverUrl + path, {
      ...request,
      headers: { ...headers, ...authorization },
      dispatcher: this.pool,
    });
  }

  /**
   * The next requests get new connections: a network that lost one without a word has lost those beside it, too, and each of them would
   * cost a time-out. Requests that are under way may end where they are.
   */
  renew(): void {
    const lost = this.pool;
    this.pool = new Agent();
    void lost.close();
  }
}
