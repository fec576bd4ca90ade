import { ACTIONS } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { Ajv, type ValidateFunction } from 'ajv';
import { Policy } from '../policy/policy';

/** Owns the agent's own look at a payload before anything runs; it must never trust that the server looked. */
@Injectable()
export class PayloadCheck {
  private readonly ajv = new Ajv({ allErrors: true, strict: false });
  private readonly validators = new Map<string, ValidateFunction>();

  constructor(private readonly policy: Policy) {
    for (const { name, payload } of Object.values(ACTIONS)) this.validators.set(name, this.ajv.compile(payload));
  }

  /** Why this payload must not run, or undefined. */
  refusal(action: string, payload: Record<string, unknown>): string | undefined {
    const validate = this.validators.get(action);
    if (!validate) return `this agent does not know the action ${action}`;
    if (!validate(payload))
      return `the payload is wrong: ${this.ajv.errorsText(validate.errors, { dataVar: 'payload' })}`;
    return this.policy.refusal(action, payload);
  }
}
