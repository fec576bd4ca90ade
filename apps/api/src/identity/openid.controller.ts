import { Controller, Get, Logger, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Anonymous, Caller, Public } from '../core/access/access';
import { Config } from '../core/config/config';
import { DomainError } from '../core/errors/errors';
import { ExternalIdentities, SignInRefused } from './external-identities';
import { StartOpenIdDto } from './openid.dto';
import { OpenIdFlows } from './openid-flows';
import { OpenIdProvider } from './openid-provider';
import { refreshCookie } from './refresh-cookie';
import { SessionsService } from './sessions.service';

/** Sign-in by OpenID Connect, for browsers: both ways out of it are redirects, to the console or to its log-in page. */
@Controller('api/auth')
@Public()
export class OpenIdController {
  private readonly log = new Logger('OpenId');

  constructor(
    private readonly config: Config,
    private readonly provider: OpenIdProvider,
    private readonly flows: OpenIdFlows,
    private readonly identities: ExternalIdentities,
    private readonly sessions: SessionsService,
  ) {}

  /** The ways to log in that there are. */
  @Get('methods')
  methods(): { password: true; openId: { name: string } | null } {
    const { name } = this.provider;
    return { password: true, openId: name === null ? null : { name } };
  }

  /** Redirects to the provider. */
  @Get('openid/start')
  async start(@Query() { returnTo = '/' }: StartOpenIdDto, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const redirectUrl = this.config.OIDC_REDIRECT_URL ?? `${request.protocol}://${request.host}/api/auth/openid/callback`;
    await this.redirect(reply, async () => (await this.provider.authorizationUrl(this.flows.begin(returnTo, redirectUrl, request, reply))).href);
  }

  /** The provider redirects here; goes on to the console with a refresh cookie, or to `/login?error=<code>`. */
  @Get('openid/callback')
  async callback(@Caller() caller: Anonymous, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.redirect(reply, async () => {
      const query = request.url.slice(request.url.indexOf('?') + 1 || request.url.length);
      const flow = this.flows.take(new URLSearchParams(query).get('state') ?? undefined, request, reply);
      if (!flow) throw new SignInRefused('openid_expired');
      const userId = await this.identities.signIn(await this.provider.identify(query, flow), caller);
      const { refresh } = await this.sessions.open(userId, caller, request.headers['user-agent'], { how: 'openid', secondFactor: false });
      refreshCookie.set(reply, refresh);
      return flow.returnTo;
    });
  }

  private async redirect(reply: FastifyReply, to: () => Promise<string>): Promise<void> {
    const address = await to().catch((error: Error) => {
      if (error instanceof DomainError && error.status === 404) throw error;
      if (!(error instanceof SignInRefused)) this.log.error(error);
      return `/login?error=${error instanceof SignInRefused ? error.code : 'openid_failed'}`;
    });
    void reply.header('Cache-Control', 'no-store').redirect(address, 302);
  }
}
