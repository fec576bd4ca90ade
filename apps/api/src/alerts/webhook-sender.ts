import { Injectable } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { isIP } from 'node:net';
import { InvalidInput } from '../core/errors/errors';
import { AddressGuard, ForbiddenAddress } from './address-guard';

const PATIENCE_MS = 10_000;
const MOST_HEADER_BYTES = 16 << 10;

export interface Webhook {
  url: string;
  secret: string;
  deliveryId: string;
  body: string;
}

/** Posts signed news to webhooks. It never follows a redirect, never reads what is answered, and connects only where the guard lets it. */
@Injectable()
export class WebhookSender {
  constructor(private readonly guard: AddressGuard) {}

  /** What can be said of an address before it is used; InvalidInput at `url`. */
  requireUsable(url: string): void {
    const fault = this.faultOf(url);
    if (fault) throw new InvalidInput([{ path: 'url', message: fault }]);
  }

  /** Resolves when it was answered with a 2xx; rejects with a reason that can be shown. */
  async send(webhook: Webhook): Promise<void> {
    const url = new URL(webhook.url);
    const secure = url.protocol === 'https:';
    const host = hostOf(url);
    // A socket looks up names only.
    if (isIP(host)) this.guard.require(host, secure);
    const status = await this.post(url, secure, webhook);
    if (status >= 300 && status < 400) throw new Error(`Answered ${status}: redirects are not followed`);
    if (status < 200 || status >= 300) throw new Error(`Answered ${status}`);
  }

  private post(url: URL, secure: boolean, { secret, deliveryId, body }: Webhook): Promise<number> {
    const timestamp = String(Math.floor(Date.now() / 1000));
    return new Promise((resolve, reject) => {
      const request = (secure ? secureRequest : plainRequest)(url, {
        method: 'POST',
        agent: false,
        lookup: this.guard.lookup(secure),
        signal: AbortSignal.timeout(PATIENCE_MS),
        maxHeaderSize: MOST_HEADER_BYTES,
        headers: {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
          'User-Agent': 'Gwanje',
          'X-Gwanje-Delivery': deliveryId,
          'X-Gwanje-Timestamp': timestamp,
          'X-Gwanje-Signature': `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`,
        },
      });
      request.on('response', (response) => {
        resolve(response.statusCode ?? 0);
        response.on('error', () => undefined).destroy();
      });
      request.on('error', (error: Error & { code?: string }) => reject(new Error(reasonOf(error))));
      request.end(body);
    });
  }

  private faultOf(text: string): string | undefined {
    if (!URL.canParse(text)) return 'must be an address such as https://hooks.example.com/gwanje';
    const url = new URL(text);
    const allowed = this.guard.allowsPlain ? ['https:', 'http:'] : ['https:'];
    if (!allowed.includes(url.protocol)) return `must begin with ${allowed.map((protocol) => `${protocol}//`).join(' or ')}`;
    if (url.username || url.password) return 'must not hold a user or a password: the signature says who sends';
    try {
      if (isIP(hostOf(url))) this.guard.require(hostOf(url), url.protocol === 'https:');
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
}

/** Without the brackets of an IPv6 address. */
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');

/** Short, and without what a connection's error tells of addresses inside. */
function reasonOf(error: Error & { code?: string }): string {
  if (error instanceof ForbiddenAddress) return error.message;
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return `No answer within ${PATIENCE_MS / 1000} s`;
  return `No connection: ${error.code ?? error.message}`;
}
