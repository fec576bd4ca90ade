import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const CLIENT = { client_id: 'gwanje', client_secret: 'a secret of the journeys' };

export interface Account {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  groups?: string[];
}

/** The OpenID provider's process, under the test's control. */
export class OpenIdTestProvider {
  private sent = 0;

  private constructor(
    readonly issuer: string,
    private readonly process: ChildProcess,
  ) {}

  /** On a port of its own, or on that of one before. */
  static async start(port = '0'): Promise<OpenIdTestProvider> {
    // Its warnings say that it is for development; so it is.
    const child = fork(join(__dirname, 'openid-provider-process.mjs'), [port], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const [message] = (await once(child, 'message')) as [{ issuer: string }];
    return new OpenIdTestProvider(message.issuer, child);
  }

  /** The server's settings for it. */
  get settings(): Record<string, string> {
    return { OIDC_ISSUER: this.issuer, OIDC_CLIENT_ID: CLIENT.client_id, OIDC_CLIENT_SECRET: CLIENT.client_secret };
  }

  /** `forged`: it signs with another key than the one that it shows. */
  serve(serverUrl: string, forged = false): Promise<void> {
    return this.tell({ forged, client: { ...CLIENT, redirect_uris: [`${serverUrl}/api/auth/openid/callback`] } });
  }

  /** Adds the account, or changes it. */
  account(account: Account): Promise<void> {
    return this.tell({ account });
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill();
    await once(this.process, 'exit');
  }

  private async tell(message: object): Promise<void> {
    const id = ++this.sent;
    const done = new Promise<void>((resolve) => {
      const listen = (answer: { done?: number }): void => {
        if (answer.done !== id) return;
        this.process.off('message', listen);
        resolve();
      };
      this.process.on('message', listen);
    });
    this.process.send({ id, ...message });
    await done;
  }
}
