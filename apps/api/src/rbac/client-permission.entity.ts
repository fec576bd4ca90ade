import type { ParameterLimits } from '@gwanje/contracts';
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** One grant: a person or a role may run these actions, within these limits, on a client or on every client of a group. */
@Entity('client_permissions')
export class ClientPermissionEntity {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'client_id', nullable: true })
  clientId: string | null;

  @Column('text', { name: 'group_name', nullable: true })
  group: string | null;

  @Column('uuid', { name: 'user_id', nullable: true })
  userId: string | null;

  @Column('uuid', { name: 'role_id', nullable: true })
  roleId: string | null;

  @Column('text', { array: true })
  actions: string[];

  @Column('jsonb')
  limits: ParameterLimits;

  @Column('uuid', { name: 'created_by', nullable: true })
  createdBy: string | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
