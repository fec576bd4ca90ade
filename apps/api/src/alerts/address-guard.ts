import { Injectable } from '@nestjs/common';
import ipaddr from 'ipaddr.js';
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { Config } from '../core/config/config';

/** All that IPv6 has given out: what lies outside, such as the old forms that hold an IPv4 address, leads nowhere public. */
const GLOBAL_IPV6 = ipaddr.IPv6.parse('2000::');

/** Turns a name into addresses, as the system does. */
@Injectable()
export class NameResolver {
  resolve(name: string): Promise<LookupAddress[]> {
    return lookup(name, { all: true });
  }
}

/** An address that nothing is sent to. */
export class ForbiddenAddress extends Error {}

/**
 * Says which addresses a webhook may reach: public ones, and the networks that the settings name. It is asked at the moment of connecting, by
 * the socket itself: what was checked is what is connected to, however a name's answers change.
 */
@Injectable()
export class AddressGuard {
  private readonly named: [ipaddr.IPv4 | ipaddr.IPv6, number][];

  constructor(
    { ALERT_WEBHOOK_ALLOW }: Config,
    private readonly resolver: NameResolver,
  ) {
    this.named = ALERT_WEBHOOK_ALLOW.split(',').filter(Boolean).map((network) => ipaddr.parseCIDR(network));
  }

  /** Whether anything may go without TLS: to named networks it may. */
  get allowsPlain(): boolean {
    return this.named.length > 0;
  }

  /** Throws ForbiddenAddress, unless the literal address is public or, which is enough for plain HTTP too, in a named network. */
  require(address: string, secure: boolean): void {
    // An IPv4 address inside an IPv6 one counts as itself; translated and tunnelled ones are not public.
    const known = ipaddr.isValid(address) ? ipaddr.process(address) : undefined;
    if (known && this.named.some(([network, bits]) => network.kind() === known.kind() && known.match(network, bits))) return;
    if (!known || known.range() !== 'unicast' || (known.kind() === 'ipv6' && !known.match(GLOBAL_IPV6, 3))) throw new ForbiddenAddress('The address is not a public one; ALERT_WEBHOOK_ALLOW can name networks that are let in');
    if (!secure) throw new ForbiddenAddress('Without TLS only networks that ALERT_WEBHOOK_ALLOW names are reached');
  }

  /** For a socket. A name of which one address is forbidden is forbidden. */
  lookup(secure: boolean): LookupFunction {
    return (name, { all }, callback) => {
      this.allowed(name, secure).then(
        (addresses) => {
          const [first] = addresses;
          if (all) callback(null, addresses);
          else callback(null, first?.address ?? '', first?.family);
        },
        (error: Error) => callback(error, ''),
      );
    };
  }

  private async allowed(name: string, secure: boolean): Promise<LookupAddress[]> {
    const addresses = await this.resolver.resolve(name);
    if (addresses.length === 0) throw new Error('The name has no address');
    for (const { address } of addresses) this.require(address, secure);
    return addresses;
  }
}
