import '@fastify/cookie';
import { Body, Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Anonymous, Caller, ForPeople, type Person, Public } from '../core/access/access';
import { Unauthorized } from '../core/errors/errors';
import { LoginDto } from './auth.dto';
import { type Profile, profileOf, SessionsService, type Tokens } from './sessions.service';

const COOKIE = 'gwanje_refresh';
const cookieOptions = { path: '/api/auth', httpOnly: true, secure: true, sameSite: 'strict' } as const;

/** Log-in for people; the refresh secret travels in a cookie only. */
@Controller('api/auth')
export class AuthController {
  constructor(private readonly sessions: SessionsService) {}

  @Public()
  @Post('login')
  @HttpCode(200)
  async login(@Body() body: LoginDto, @Caller() caller: Anonymous, @Res({ passthrough: true }) reply: FastifyReply): Promise<Tokens> {
    const { refresh, ...tokens } = await this.sessions.login(body.email, body.password, caller);
    void reply.setCookie(COOKIE, refresh, { ...cookieOptions, maxAge: 14 * 86_400 });
    return tokens;
  }

  @Public()
  @Post('refresh')
  @HttpCode(200)
  async refresh(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<Tokens> {
    const secret = request.cookies[COOKIE];
    if (!secret) throw new Unauthorized('There is no refresh cookie; log in again');
    const { refresh, ...tokens } = await this.sessions.refresh(secret);
    if (refresh) void reply.setCookie(COOKIE, refresh, { ...cookieOptions, maxAge: 14 * 86_400 });
    return tokens;
  }

  @Public()
  @Post('logout')
  @HttpCode(204)
  async logout(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const secret = request.cookies[COOKIE];
    if (secret) await this.sessions.logout(secret);
    void reply.clearCookie(COOKIE, cookieOptions);
  }

  @ForPeople()
  @Get('me')
  me(@Caller() person: Person): Profile {
    return profileOf(person);
  }
}
