import { ACTIONS } from '@gwanje/contracts';
import type { Handler } from './handler';

/** Owns which handler does which action; it must never let the agent start with one missing or doubled. */
export class HandlerRegistry {
  private readonly byAction = new Map<string, Handler>();

  constructor(handlers: readonly Handler[], actions: readonly string[] = Object.keys(ACTIONS)) {
    for (const handler of handlers) {
      if (this.byAction.has(handler.action)) throw new Error(`two handlers for the action ${handler.action}`);
      this.byAction.set(handler.action, handler);
    }
    const missing = actions.filter((action) => !this.byAction.has(action));
    if (missing.length > 0) throw new Error(`no handler for the action ${missing.join(', ')}`);
  }

  get(action: string): Handler | undefined {
    return this.byAction.get(action);
  }
}
