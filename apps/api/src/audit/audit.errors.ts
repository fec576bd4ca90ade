import { DomainError } from '../core/errors/errors';

/** What cannot be recorded is not done. */
export class AuditUnavailable extends DomainError {
  constructor(cause: unknown) {
    super(503, 'audit_unavailable', 'The audit record cannot be written, so nothing was done; try again in a moment');
    this.cause = cause;
  }
}
