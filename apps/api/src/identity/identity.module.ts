import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module';
import { Config } from '../core/config/config';
import { AuthController } from './auth.controller';
import { FirstAdmin } from './first-admin';
import { JwtStrategy, TOKEN } from './jwt.strategy';
import { PasswordsService } from './passwords.service';
import { PeopleService } from './people.service';
import { RoleEntity } from './role.entity';
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
  controllers: [AuthController],
  providers: [SessionsService, PeopleService, PasswordsService, StreamWarden, JwtStrategy, FirstAdmin],
  exports: [SessionsService, PeopleService, PasswordsService, StreamWarden, TypeOrmModule],
})
export class IdentityModule {}
