import { SetMetadata } from '@nestjs/common';

/** What a process does: `api` answers calls, `gateway` holds streams, `worker` runs the queues' jobs and the rounds of the sweepers. */
export const ROLES = ['api', 'gateway', 'worker'] as const;
export type Role = (typeof ROLES)[number];

export const IN_ROLE = 'gwanje:role';
/** The role that answers a route; `api` for those that say nothing. What `any` process answers is about the process itself. */
export const InRole = (role: Role | 'any'): MethodDecorator & ClassDecorator => SetMetadata(IN_ROLE, role);
