import type { Scope } from '@gwanje/contracts';
import { Column, CreateDateColumn, Entity, JoinTable, ManyToMany, PrimaryColumn } from 'typeorm';
import { TIDY } from '../core/http/tidy';
import { RoleEntity } from './role.entity';

/** A person's account. A deleted one stays as the author of what it did, and can do nothing more. */
@Entity('users')
export class UserEntity {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { transformer: TIDY })
  email: string;

  @Column('text', { transformer: TIDY })
  name: string;

  /** None for an account of an OpenID provider. */
  @Column('text', { name: 'password_hash', select: false, nullable: true })
  passwordHash: string | null;

  /** `granted` confines the person to grants, whatever their roles say. */
  @Column('text')
  scope: Scope;

  /** Raised by every change that may narrow the rights. */
  @Column('integer', { name: 'rights_version' })
  rightsVersion: number;

  @Column('timestamptz', { name: 'disabled_at', nullable: true })
  disabledAt: Date | null;

  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @ManyToMany(() => RoleEntity)
  @JoinTable({ name: 'user_roles', joinColumn: { name: 'user_id' }, inverseJoinColumn: { name: 'role_id' } })
  roles: RoleEntity[];
}
