import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A mail server of the test's own, which speaks SMTP and keeps what it gets. */
export class MailServer {
  /** Whole mails, with their headers. */
  readonly mails: { to: string[]; text: string }[] = [];
  refuses = false;

  private constructor(
    private readonly server: SMTPServer,
    private port = 0,
  ) {}

  static async start(): Promise<MailServer> {
    const mails = new MailServer(
      new SMTPServer({
        authOptional: true,
        disabledCommands: ['STARTTLS'],
        onMailFrom: (_address, _session, callback) => callback(mails.refuses ? new Error('not now') : null),
        onData: (stream, session, callback) => {
          let text = '';
          stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          stream.on('end', () => {
            mails.mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text });
            callback();
          });
        },
      }),
    );
    await new Promise<void>((resolve) => mails.server.listen(0, '127.0.0.1', resolve));
    mails.port = (mails.server.server.address() as AddressInfo).port;
    return mails;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(resolve));
  }
}
