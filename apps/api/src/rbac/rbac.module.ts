import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module';
import { IdentityModule } from '../identity/identity.module';
import { ClientPermissionEntity } from './client-permission.entity';
import { Explainer } from './explainer';
import { GrantsController } from './grants.controller';
import { GrantsService } from './grants.service';
import { Holdings } from './holdings';
import { RbacService } from './rbac.service';
import { RolesController } from './roles.controller';
import { RolesService } from './roles.service';
import { UsersController } from './users.controller';
import { UsersService } from './users.service';

@Module({
  imports: [AuditModule, IdentityModule, TypeOrmModule.forFeature([ClientPermissionEntity])],
  controllers: [RolesController, UsersController, GrantsController],
  providers: [RbacService, Explainer, RolesService, UsersService, GrantsService, Holdings],
  exports: [RbacService],
})
export class RbacModule {}
