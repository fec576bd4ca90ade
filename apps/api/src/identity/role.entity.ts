import type { Permission, Scope } from '@gwanje/contracts';
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** A named set of permissions, and where they hold. */
@Entity('roles')
export class RoleEntity {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  name: string;

  @Column('text', { array: true })
  permissions: Permission[];

  @Column('text')
  scope: Scope;

  @Column('boolean', { name: 'built_in' })
  builtIn: boolean;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
