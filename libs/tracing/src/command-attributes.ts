import type { Attributes } from './tracing';

/** What every span about a command says of it: `messaging.*` are OpenTelemetry's names for what goes through a queue, `gwanje.*` are our own. */
export function commandAttributes(command: {
  id: string;
  action?: string;
  attempt?: number;
  clientId?: string;
}): Attributes {
  return {
    'messaging.system': 'gwanje',
    'messaging.destination.name': 'commands',
    'messaging.message.id': command.id,
    'gwanje.command.id': command.id,
    'gwanje.command.action': command.action,
    'gwanje.command.attempt': command.attempt,
    'gwanje.client.id': command.clientId,
  };
}
