import { Injectable } from '@nestjs/common';
import { createTransport, type Transporter } from 'nodemailer';
import { Config } from '../core/config/config';
import { Conflict } from '../core/errors/errors';

const PATIENCE_MS = 10_000;
/** Without a byte: many servers look at a mail before they say that they have it (RFC 5321, 4.5.3.2.6, has clients wait for ten minutes). */
const SILENCE_MS = 120_000;

export interface Mail {
  to: string[];
  subject: string;
  text: string;
  deliveryId: string;
}

/** Hands mails to the mail server of the settings. Everything in them is text: nothing is fetched, and no line of a subject ends early. */
@Injectable()
export class Mailer {
  private readonly transport?: Transporter;

  constructor(private readonly config: Config) {
    if (!config.SMTP_URL) return;
    const timeouts = { connectionTimeout: PATIENCE_MS, greetingTimeout: PATIENCE_MS, socketTimeout: SILENCE_MS, dnsTimeout: PATIENCE_MS };
    this.transport = createTransport({ url: config.SMTP_URL, ...timeouts, disableFileAccess: true, disableUrlAccess: true });
  }

  /** Conflict `no_mail_server` when the settings name none. */
  requireServer(): void {
    if (!this.transport) throw new Conflict('no_mail_server', 'No mail server is set: SMTP_URL and MAIL_FROM name it');
  }

  /** Resolves when the server took it for at least one address; rejects with a reason that can be shown. */
  async send({ to, subject, text, deliveryId }: Mail): Promise<void> {
    this.requireServer();
    const domain = /@([^\s>]+)/.exec(this.config.MAIL_FROM ?? '')?.[1] ?? 'gwanje';
    await this.transport
      ?.sendMail({
        from: this.config.MAIL_FROM, to: to.map((address) => ({ name: '', address })), subject: subject.replace(/[\p{C}\s]+/gu, ' '), text,
        messageId: `<${deliveryId}@${domain}>`, headers: { 'X-Gwanje-Delivery': deliveryId, 'Auto-Submitted': 'auto-generated' },
      })
      .catch((error: Error & { code?: string; responseCode?: number }) => {
        throw new Error(`The mail server did not take it: ${error.responseCode ?? error.code ?? error.message}`);
      });
  }
}
