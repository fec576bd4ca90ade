import type { Permission, Scope } from '@gwanje/contracts';
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { TIDY } from '../core/http/tidy';

/** A named set of permissions, and where they hold. */
@Entity('roles')
export class RoleEntity {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { transformer: TIDY })
  name: string;

  @Column('text', { array: true })
  permissions: Permission[];

  @Column('text')
  scope: Scope;

  /** Whoever holds it may do nothing, until they have proven a second factor. */
  @Column('boolean', { name: 'requires_second_factor' })
  requiresSecondFactor: boolean;

  @Column('boolean', { name: 'built_in' })
  builtIn: boolean;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
