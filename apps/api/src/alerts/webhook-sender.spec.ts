import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HookReceiver, isSigned } from '../../test/support/hook-receiver';
import { Config } from '../core/config/config';
import { AddressGuard, NameResolver } from './address-guard';
import { WebhookSender } from './webhook-sender';

/** Answers each question with the next of the answers; the last stays. */
class ChangingResolver extends NameResolver {
  asked = 0;

  constructor(private readonly answers: string[][]) {
    super();
  }

  override async resolve(): ReturnType<NameResolver['resolve']> {
    const answer = this.answers[Math.min(this.asked++, this.answers.length - 1)] ?? [];
    return answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  }
}

const sender = (allow: string, resolver: NameResolver = new NameResolver()): WebhookSender =>
  new WebhookSender(new AddressGuard(Object.assign(new Config(), { ALERT_WEBHOOK_ALLOW: allow }), resolver));
const webhook = (url: string): Parameters<WebhookSender['send']>[0] => ({ url, secret: 'gwh_secret', deliveryId: '1', body: '{"state":"test"}' });

describe('a webhook', () => {
  let receiver: HookReceiver;
  beforeEach(async () => (receiver = await HookReceiver.start()));
  afterEach(() => receiver.stop());

  const named = (name: string): string => `${receiver.url.replace('127.0.0.1', name)}/hook`;

  it('arrives signed where the settings let it in, by address and by name', async () => {
    await sender('127.0.0.0/8').send(webhook(`${receiver.url}/hook`));
    await sender('127.0.0.0/8', new ChangingResolver([['127.0.0.1']])).send(webhook(named('hooks.example.com')));
    expect(receiver.received.map(({ path, id }) => [path, id])).toEqual([['/hook', '1'], ['/hook', '1']]);
    expect(receiver.received.every((one) => isSigned(one, 'gwh_secret'))).toBe(true);
    expect(isSigned({ ...receiver.received[0]!, body: '{"state":"firing"}' }, 'gwh_secret')).toBe(false);
    expect(receiver.received[1]?.headers.host).toMatch(/^hooks\.example\.com:/);
  });

  it.each([
    '127.0.0.1', '169.254.169.254', '10.0.0.1', '172.16.9.9', '192.168.0.1', '100.64.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', '198.18.0.1', '::', '::1',
    '::ffff:10.0.0.1', '::ffff:127.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::', 'fe80::1', 'fc00::1', 'ff02::1',
  ])('goes to no name that resolves to %s, nor there itself', async (address) => {
    // Another private network is let in, which must not open this one.
    const strict = sender('10.200.0.0/16', new ChangingResolver([['93.184.216.34', address]]));
    for (const scheme of ['http', 'https']) {
      await expect(strict.send(webhook(`${scheme}://hooks.example.com:${new URL(receiver.url).port}/`))).rejects.toThrow(/not a public one|Without TLS/);
      const literal = address.includes(':') ? `[${address}]` : address;
      await expect(strict.send(webhook(`${scheme}://${literal}:${new URL(receiver.url).port}/`))).rejects.toThrow(/not a public one/);
    }
    expect(() => strict.requireUsable(`https://${address.includes(':') ? `[${address}]` : address}/`)).toThrow(/not a public one/);
    expect(receiver.received).toEqual([]);
  });

  it('goes to no other spelling of a forbidden address', async () => {
    const { port } = new URL(receiver.url);
    for (const host of ['2130706433', '0x7f.1', '0177.0.0.1', '127.1', 'localhost']) {
      await expect(sender('').send(webhook(`https://${host}:${port}/`))).rejects.toThrow(/not a public one/);
    }
    expect(receiver.received).toEqual([]);
  });

  it('is not led elsewhere by a name that changes its answer: what was checked is what is connected to', async () => {
    const resolver = new ChangingResolver([['127.0.0.1'], ['169.254.169.254']]);
    const guarded = sender('127.0.0.1/32', resolver);
    await guarded.send(webhook(named('rebinding.example.com')));
    expect([resolver.asked, receiver.received.length]).toEqual([1, 1]);
    await expect(guarded.send(webhook(named('rebinding.example.com')))).rejects.toThrow(/not a public one/);
    expect([resolver.asked, receiver.received.length]).toEqual([2, 1]);
  });

  it('goes without TLS to named networks only', async () => {
    await expect(sender('127.0.0.1/32', new ChangingResolver([['93.184.216.34']])).send(webhook('http://hooks.example.com/'))).rejects.toThrow(/Without TLS/);
    expect(() => sender('').requireUsable('http://hooks.example.com/')).toThrow(/must begin with https/);
    expect(() => sender('').requireUsable('https://user:word@hooks.example.com/')).toThrow(/must not hold a user/);
    expect(() => sender('127.0.0.1/32').requireUsable('file:///etc/passwd')).toThrow(/must begin with/);
    expect(() => sender('').requireUsable('hooks')).toThrow(/must be an address/);
  });

  it('follows no redirect, and takes nothing but a success for one', async () => {
    const allowed = sender('127.0.0.1/32');
    for (const status of [301, 302, 303, 307, 308]) {
      receiver.answers.push(status);
      await expect(allowed.send(webhook(`${receiver.url}/hook`))).rejects.toThrow(`Answered ${status}: redirects are not followed`);
    }
    receiver.answers.push(500, 404);
    await expect(allowed.send(webhook(receiver.url))).rejects.toThrow('Answered 500');
    await expect(allowed.send(webhook(receiver.url))).rejects.toThrow('Answered 404');
    expect(receiver.received.map(({ path }) => path)).not.toContain('/elsewhere');
  });

  it('reads no answer to its end, however long that is', async () => {
    const endless = await new Promise<Server>((resolve) => {
      const server = createServer((_, response) => {
        response.writeHead(200);
        const pour = (): void => {
          while (response.write('x'.repeat(65_536)));
        };
        response.on('drain', pour);
        pour();
      }).listen(0, '127.0.0.1', () => resolve(server));
    });
    await sender('127.0.0.1/32').send(webhook(`http://127.0.0.1:${(endless.address() as AddressInfo).port}/`));
    await new Promise((resolve) => endless.close(resolve));
  });

  it('says what stood in the way, and no more', async () => {
    const gone = receiver.url;
    await receiver.stop();
    await expect(sender('127.0.0.1/32').send(webhook(gone))).rejects.toThrow(/^No connection: ECONNREFUSED$/);
    receiver = await HookReceiver.start();
  });
});
