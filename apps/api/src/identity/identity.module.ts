import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module';
import { Config } from '../core/config/config';
import { PersonalTokens } from '../core/access/access';
import { AccountsService } from './accounts.service';
import { AuthController } from './auth.controller';
import { ExternalIdentities } from './external-identities';
import { FirstAdmin } from './first-admin';
import { JwtStrategy, TOKEN } from './jwt.strategy';
import { LoginGuard } from './login-guard';
import { OneTimeCodes } from './one-time-codes';
import { OpenIdController } from './openid.controller';
import { OpenIdFlows } from './openid-flows';
import { OpenIdProvider } from './openid-provider';
import { PasswordsService } from './passwords.service';
import { PeopleService } from './people.service';
import { PersonalTokensService } from './personal-tokens.service';
import { RoleEntity } from './role.entity';
import { SecondFactorController } from './second-factor.controller';
import { SecondFactorService } from './second-factor.service';
import { SessionsService } from './sessions.service';
import { StreamWarden } from './stream-warden.service';
import { UserEntity } from './user.entity';

@Module({
  imports: [
    AuditModule,
    TypeOrmModule.forFeature([UserEntity, RoleEntity]),
    PassportModule,
    JwtModule.registerAsync({
      inject: [Config],
      useFactory: (config: Config) => ({
        secret: config.JWT_SECRET,
        signOptions: { issuer: TOKEN.issuer, audience: TOKEN.audience, algorithm: TOKEN.algorithm },
      }),
    }),
  ],
  controllers: [AuthController, SecondFactorController, OpenIdController],
  providers: [
    AccountsService, SessionsService, PeopleService, PasswordsService, PersonalTokensService, LoginGuard, StreamWarden, JwtStrategy, FirstAdmin,
    OneTimeCodes, SecondFactorService, OpenIdProvider, OpenIdFlows, ExternalIdentities,
    { provide: PersonalTokens, useExisting: PersonalTokensService },
  ],
  exports: [AccountsService, SessionsService, PeopleService, PasswordsService, PersonalTokensService, SecondFactorService, StreamWarden, TypeOrmModule],
})
export class IdentityModule {}
