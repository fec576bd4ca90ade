import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Anonymous, Caller, ForPeople, type Person, Public } from '../core/access/access';
import { Unauthorized } from '../core/errors/errors';
import { type Page, ShortListDto, whole } from '../core/http/page.dto';
import { AccountsService } from './accounts.service';
import { ChangePasswordDto, CreateTokenDto, LoginDto } from './auth.dto';
import { PersonalTokensService, type PersonalTokenView } from './personal-tokens.service';
import { refreshCookie } from './refresh-cookie';
import { type Profile, profileOf, requireSession, SessionsService, type SessionView, type Tokens } from './sessions.service';

/** Log-in, sessions and tokens of the caller's own; the refresh secret travels in a cookie only. */
@Controller('api/auth')
export class AuthController {
  constructor(
    private readonly accounts: AccountsService,
    private readonly sessions: SessionsService,
    private readonly tokens: PersonalTokensService,
  ) {}

  /** With a second factor: 401 `otp_required` until `otp` comes with it, 401 `otp_invalid` when that is wrong. */
  @Public()
  @Post('login')
  @HttpCode(200)
  async login(
    @Body() body: LoginDto, @Caller() caller: Anonymous, @Res({ passthrough: true }) reply: FastifyReply, @Headers('user-agent') userAgent?: string,
  ): Promise<Tokens> {
    return withCookie(await this.accounts.login(body, caller, userAgent), reply);
  }

  @Public()
  @Post('refresh')
  @HttpCode(200)
  async refresh(@Req() request: FastifyRequest, @Caller() caller: Anonymous, @Res({ passthrough: true }) reply: FastifyReply): Promise<Tokens> {
    const secret = refreshCookie.read(request);
    if (!secret) throw new Unauthorized('There is no refresh cookie; log in again');
    return withCookie(await this.sessions.refresh(secret, caller), reply);
  }

  @Public()
  @Post('logout')
  @HttpCode(204)
  async logout(@Req() request: FastifyRequest, @Caller() caller: Anonymous, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const secret = refreshCookie.read(request);
    if (secret) await this.sessions.logout(secret, caller);
    refreshCookie.clear(reply);
  }

  @ForPeople()
  @Get('me')
  me(@Caller() person: Person): Profile {
    return profileOf(person);
  }

  @ForPeople()
  @Post('password')
  @HttpCode(204)
  async changePassword(@Body() body: ChangePasswordDto, @Caller() person: Person): Promise<void> {
    requireSession(person);
    await this.accounts.changePassword(body.currentPassword, body.newPassword, person);
  }

  @ForPeople()
  @Get('sessions')
  async listSessions(@Query() query: ShortListDto, @Caller() person: Person): Promise<Page<SessionView>> {
    return whole(await this.sessions.list(person), query);
  }

  /** All but the one that asks. */
  @ForPeople()
  @Delete('sessions')
  @HttpCode(204)
  async endOtherSessions(@Caller() person: Person): Promise<void> {
    requireSession(person);
    await this.sessions.endOthers(person);
  }

  @ForPeople()
  @Delete('sessions/:id')
  @HttpCode(204)
  async endSession(@Param('id') id: string, @Caller() person: Person): Promise<void> {
    requireSession(person);
    await this.sessions.endOwn(id, person);
  }

  /** The token is shown in this answer only. */
  @ForPeople()
  @Post('tokens')
  createToken(@Body() body: CreateTokenDto, @Caller() person: Person): Promise<{ id: string; token: string }> {
    requireSession(person);
    return this.tokens.create(body, person);
  }

  @ForPeople()
  @Get('tokens')
  async listTokens(@Query() query: ShortListDto, @Caller() person: Person): Promise<Page<PersonalTokenView>> {
    return whole(await this.tokens.list(person), query);
  }

  @ForPeople()
  @Delete('tokens/:id')
  @HttpCode(204)
  async revokeToken(@Param('id') id: string, @Caller() person: Person): Promise<void> {
    await this.tokens.revoke(id, person);
  }
}

function withCookie({ refresh, ...tokens }: Tokens & { refresh?: string }, reply: FastifyReply): Tokens {
  if (refresh) refreshCookie.set(reply, refresh);
  return tokens;
}
