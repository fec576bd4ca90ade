/** A fault of the caller's, or of the moment, with a stable code. Services throw these; one filter turns them into HTTP. */
export class DomainError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors?: { path: string; message: string }[],
  ) {
    super(detail);
  }
}

export class NotFound extends DomainError {
  constructor(what: string) {
    super(404, 'not_found', `There is no such ${what}`);
  }
}

/** To the caller it does not exist; the audit record keeps what was tried on it. */
export class Hidden extends NotFound {
  constructor(
    readonly action: string,
    readonly target: { type: string; id: string },
  ) {
    super(target.type.replaceAll('_', ' '));
  }
}

export class Conflict extends DomainError {
  constructor(code: string, detail: string) {
    super(409, code, detail);
  }
}

/** Refused to keep the rights of all in order, whatever the caller may do; recorded like a missing right. */
export class Protected extends Conflict {}

export class Unauthorized extends DomainError {
  constructor(detail = 'Log in first: the Authorization header has no valid bearer token') {
    super(401, 'unauthorized', detail);
  }
}

/** The caller's session, token or key has ended, or their rights have changed, since the guard looked. */
export class StaleCaller extends Unauthorized {}

export class Forbidden extends DomainError {
  constructor(detail: string) {
    super(403, 'forbidden', detail);
  }
}

export class UnsupportedMediaType extends DomainError {
  constructor() {
    super(415, 'unsupported_media_type', 'The body must be JSON: send it with Content-Type: application/json');
  }
}

export class TooManyAttempts extends DomainError {
  constructor(
    detail: string,
    /** Whole seconds until the next attempt may succeed; goes into `Retry-After`. */
    readonly retryAfter: number,
    /** Whether it is one to record, and not one more of many that are counted. */
    readonly options = { recorded: true },
  ) {
    super(429, 'too_many_attempts', `${detail}; try again in ${retryAfter} s`);
  }
}

export class UpgradeRequired extends DomainError {
  constructor(protocol: string) {
    super(426, 'upgrade_required', `This address speaks ${protocol}: ask for the upgrade`);
  }
}

/** RFC 9110, 15.5.20: this process does not answer that; whoever stands before it sent the call to the wrong one. */
export class Misdirected extends DomainError {
  constructor(role: string) {
    super(421, 'wrong_role', `This process does not have the role ${role}: see ROLES, and what the proxy before it sends where`);
  }
}

/** A part that is needed for this is away or refuses; the same may be said again. Its own words go into the log, not to the caller. */
export class Unavailable extends DomainError {
  constructor(
    code: string,
    detail: string,
    override readonly cause: unknown,
  ) {
    super(503, code, detail);
  }

  /** For the log, in one line. */
  get reason(): string {
    const { name, message, code } = this.cause as Partial<NodeJS.ErrnoException>;
    return `${name}: ${message || code}`;
  }
}

export class PayloadTooLarge extends DomainError {
  constructor(limit: number) {
    super(413, 'payload_too_large', `More than ${limit} bytes`, [{ path: '', message: `more than ${limit} bytes` }]);
  }
}

export class InvalidInput extends DomainError {
  constructor(errors: { path: string; message: string }[]) {
    super(400, 'invalid_input', errors.map((error) => `${error.path}: ${error.message}`).join('; '), errors);
  }
}

/** A body names things that are not there, or that the caller may not know of; what was tried is recorded. */
export class UnknownReference extends InvalidInput {
  constructor(
    readonly action: string,
    /** Of the things, such as `client`. */
    readonly type: string,
    readonly references: { path: string; id: string }[],
  ) {
    super(references.map(({ path }) => ({ path, message: `there is no such ${type}` })));
  }
}
