import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { AuditModule } from '../audit/audit.module';
import { Config } from '../core/config/config';
import { AuthController } from './auth.controller';
import { FirstAdmin } from './first-admin';
import { JwtStrategy, TOKEN } from './jwt.strategy';
import { SessionsService } from './sessions.service';

@Module({
  imports: [
    AuditModule,
    PassportModule,
    JwtModule.registerAsync({
      inject: [Config],
      useFactory: (config: Config) => ({
        secret: config.JWT_SECRET,
        signOptions: { issuer: TOKEN.issuer, audience: TOKEN.audience, algorithm: TOKEN.algorithm },
      }),
    }),
  ],
  controllers: [AuthController],
  providers: [SessionsService, JwtStrategy, FirstAdmin],
  exports: [SessionsService],
})
export class IdentityModule {}
