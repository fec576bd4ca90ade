import { Injectable, Logger } from '@nestjs/common';
import {
  allowInsecureRequests, authorizationCodeGrant, AuthorizationResponseError, buildAuthorizationUrl, calculatePKCECodeChallenge, type ClientAuth,
  ClientSecretBasic, ClientSecretPost, type Configuration, discovery, enableNonRepudiationChecks, fetchUserInfo,
} from 'openid-client';
import { Config } from '../core/config/config';
import { NotFound } from '../core/errors/errors';
import { type ExternalIdentity, SignInRefused } from './external-identities';

const TIMEOUT_SECONDS = 5;

/** What ties an answer of the provider to the question: kept by the browser, sealed. */
export interface Checks {
  state: string;
  nonce: string;
  /** Of PKCE. */
  verifier: string;
  redirectUrl: string;
}

/** The only one that talks to the OpenID provider. Looks it up when somebody wants to sign in, and again after a failure. */
@Injectable()
export class OpenIdProvider {
  private readonly log = new Logger('OpenId');
  private discovered?: Promise<Configuration>;

  constructor(private readonly config: Config) {}

  /** What the button says, or null when there is no provider. */
  get name(): string | null {
    return this.config.OIDC_ISSUER === undefined ? null : this.config.OIDC_NAME;
  }

  /** Throws NotFound without a provider, SignInRefused when it is away. */
  async authorizationUrl({ state, nonce, verifier, redirectUrl }: Checks): Promise<URL> {
    return buildAuthorizationUrl(await this.configuration(), {
      scope: this.config.OIDC_SCOPES,
      redirect_uri: redirectUrl,
      state,
      nonce,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
  }

  /** Who the provider says it is, from the query that it sent the browser back with. Throws SignInRefused. */
  async identify(query: string, { state, nonce, verifier, redirectUrl }: Checks): Promise<ExternalIdentity> {
    const configuration = await this.configuration();
    const answer = new URL(redirectUrl);
    answer.search = query;
    try {
      const tokens = await authorizationCodeGrant(configuration, answer, { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier });
      const claims = tokens.claims();
      if (!claims) throw new SignInRefused('openid_invalid');
      const more = configuration.serverMetadata().userinfo_endpoint ? await fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
      return this.identityOf({ ...claims, ...more }, claims.iss, claims.sub);
    } catch (error) {
      throw this.refusal(error as Error);
    }
  }

  private identityOf(claims: Record<string, unknown>, issuer: string, subject: string): ExternalIdentity {
    const text = (name: string): string | undefined => (typeof claims[name] === 'string' && claims[name] !== '' ? claims[name] : undefined);
    const groups = claims[this.config.OIDC_GROUPS_CLAIM];
    return {
      issuer,
      subject,
      ...(claims['email_verified'] === true && { verifiedEmail: text('email') }),
      name: text('name') ?? text('preferred_username'),
      groups: (Array.isArray(groups) ? groups : [groups]).filter((group): group is string => typeof group === 'string'),
    };
  }

  private configuration(): Promise<Configuration> {
    const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: id, OIDC_CLIENT_SECRET: secret } = this.config;
    if (!issuer || !id || !secret) throw new NotFound('way to log in');
    const local = issuer.startsWith('http:') ? [allowInsecureRequests] : [];
    this.discovered ??= discovery(new URL(issuer), id, undefined, authentication(secret), {
      execute: [enableNonRepudiationChecks, ...local], timeout: TIMEOUT_SECONDS,
    }).catch((error: Error) => {
      this.discovered = undefined;
      throw this.refusal(error, 'openid_unavailable');
    });
    return this.discovered;
  }

  /** The log gets the kind of fault, never the provider's words: they may repeat what was sent. */
  private refusal(error: Error & { code?: string; error?: string }, otherwise: SignInRefused['code'] = 'openid_invalid'): SignInRefused {
    if (error instanceof SignInRefused) return error;
    const code = isAway(error) ? 'openid_unavailable' : error instanceof AuthorizationResponseError ? 'openid_denied' : otherwise;
    this.log.warn(`${code}: ${error.name} ${error.error ?? error.code ?? ''}`);
    return new SignInRefused(code);
  }
}

/** In the body where the provider takes it there, else in the header, which all have to take. */
function authentication(secret: string): ClientAuth {
  const [post, basic] = [ClientSecretPost(secret), ClientSecretBasic(secret)];
  return (server, ...rest) => (server.token_endpoint_auth_methods_supported?.includes('client_secret_post') ? post : basic)(server, ...rest);
}

/** No connection, no answer in time, or one of the 5xx. */
function isAway(error: Error & { code?: string }): boolean {
  if (error.name === 'TypeError' || error.code === 'OAUTH_TIMEOUT' || error.code === 'OAUTH_ABORT') return true;
  const { cause } = error;
  if (cause instanceof Response) return cause.status >= 500;
  return typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'TypeError';
}
