import type { Permission } from '@gwanje/contracts';

/** What an address names: it is made anew for each call, as the caller's own or as somebody else's. */
export type Thing = 'client' | 'command' | 'batch' | 'key' | 'artifact' | 'group' | 'user' | 'role' | 'session' | 'token' | 'enrolment' | 'export' | 'entry' | 'rule' | 'channel' | 'delivery';

export interface AccessRule {
  /** Who may call it: everybody, agents, anybody logged in, or whoever holds the permission. */
  who: 'everybody' | 'agents' | 'anybody logged in' | Permission;
  /** What `{id}` (or the body) names. */
  thing?: Thing;
  /** Only who holds the permission on all clients. */
  everywhere?: true;
  body?: (names: { client: string; user: string }) => object;
  query?: (names: { client: string; user: string }) => string;
  /** The answer to a well-formed call that got through, where it is not a success: there is nothing to log out from, for one. */
  answer?: number[];
  /** The answer about something foreign, where it is not 404. */
  foreign?: number;
}

const order = { action: 'noop', payload: {} };

/** Every route of the server and who may call it, in one place. A route that is not here fails the test, and so does one that is gone. */
export const ACCESS_TABLE: Record<string, AccessRule> = {
  'GET /health/live': { who: 'everybody' },
  'GET /health/ready': { who: 'everybody' },
  'GET /metrics': { who: 'everybody' },
  'POST /api/auth/login': { who: 'everybody', body: () => ({ email: 'unknown@example.com', password: 'x' }), answer: [401, 429] },
  'POST /api/auth/refresh': { who: 'everybody', answer: [401] },
  'POST /api/auth/logout': { who: 'everybody' },
  'GET /api/auth/methods': { who: 'everybody' },
  // Without a provider there is no such way to log in, and nothing was begun that could come back.
  'GET /api/auth/openid/start': { who: 'everybody', answer: [404] },
  'GET /api/auth/openid/callback': { who: 'everybody', answer: [404] },
  'POST /api/enrol': { who: 'everybody', body: () => ({ token: 'x', name: 'x', platform: 'x' }), answer: [401] },

  // Without a bundle there is nothing to install.
  'GET /install.sh': { who: 'everybody', answer: [404] },
  'GET /api/agent/bundle': { who: 'everybody', answer: [404] },
  'GET /api/agent/bundle.json': { who: 'everybody', answer: [404] },

  'GET /api/auth/me': { who: 'anybody logged in' },
  'POST /api/auth/password': { who: 'anybody logged in', body: () => ({ currentPassword: 'wrong', newPassword: 'quiet copper meadow' }), answer: [400, 429] },
  'GET /api/auth/sessions': { who: 'anybody logged in' },
  'DELETE /api/auth/sessions': { who: 'anybody logged in' },
  'DELETE /api/auth/sessions/{id}': { who: 'anybody logged in', thing: 'session' },
  'POST /api/auth/tokens': { who: 'anybody logged in', body: () => ({ name: 'script' }) },
  'GET /api/auth/tokens': { who: 'anybody logged in' },
  'DELETE /api/auth/tokens/{id}': { who: 'anybody logged in', thing: 'token' },

  'GET /api/auth/second-factor': { who: 'anybody logged in' },
  'POST /api/auth/second-factor': { who: 'anybody logged in' },
  'POST /api/auth/second-factor/confirm': { who: 'anybody logged in', body: () => ({ otp: 'no code' }), answer: [400, 409, 429] },
  'POST /api/auth/second-factor/prove': { who: 'anybody logged in', body: () => ({ otp: 'no code' }), answer: [409] },
  'DELETE /api/auth/second-factor': { who: 'anybody logged in', answer: [409] },
  'POST /api/auth/second-factor/recovery-codes': { who: 'anybody logged in', answer: [409] },

  'GET /api/permissions': { who: 'anybody logged in' },
  'GET /api/permissions/explain': { who: 'users.manage', thing: 'client', query: ({ client, user }) => `?user=${user}&action=noop&client=${client}` },
  'GET /api/roles': { who: 'anybody logged in' },
  'GET /api/roles/{id}': { who: 'anybody logged in', thing: 'role' },
  'POST /api/roles': { who: 'roles.manage', body: () => ({ name: `role ${Math.random()}`, permissions: [] }) },
  'PATCH /api/roles/{id}': { who: 'roles.manage', thing: 'role', body: () => ({ permissions: [] }) },
  'DELETE /api/roles/{id}': { who: 'roles.manage', thing: 'role' },

  'GET /api/users': { who: 'users.manage' },
  'POST /api/users': { who: 'users.manage', body: () => ({ email: `${Math.random()}@example.com`, name: 'x' }) },
  'GET /api/users/{id}': { who: 'users.manage', thing: 'user' },
  'PATCH /api/users/{id}': { who: 'users.manage', thing: 'user', body: () => ({ name: 'y' }) },
  'DELETE /api/users/{id}': { who: 'users.manage', thing: 'user' },
  'PUT /api/users/{id}/roles': { who: 'users.manage', thing: 'user', body: () => ({ roles: [] }) },
  'DELETE /api/users/{id}/second-factor': { who: 'users.manage', thing: 'user', answer: [409] },
  'GET /api/users/{id}/sessions': { who: 'users.manage', thing: 'user' },
  'DELETE /api/users/{id}/sessions': { who: 'users.manage', thing: 'user' },
  'GET /api/users/{id}/tokens': { who: 'users.manage', thing: 'user' },
  // The person that is made for the call has none.
  'DELETE /api/users/{id}/tokens/{tokenId}': { who: 'users.manage', thing: 'user', answer: [404] },
  'POST /api/users/{id}/reset-password': { who: 'users.manage', thing: 'user' },

  'GET /api/clients/{id}/permissions': { who: 'grants.manage', thing: 'client' },
  'PUT /api/clients/{id}/permissions': { who: 'grants.manage', thing: 'client', body: () => ({ items: [] }) },
  'GET /api/groups/{name}/permissions': { who: 'grants.manage', thing: 'group' },
  'PUT /api/groups/{name}/permissions': { who: 'grants.manage', thing: 'group', body: () => ({ items: [{ role: 'auditor', actions: ['noop'] }] }) },

  'POST /api/clients': { who: 'clients.manage', everywhere: true, body: () => ({ name: `client-${Math.random()}` }) },
  'GET /api/clients': { who: 'clients.read' },
  'GET /api/clients/{id}': { who: 'clients.read', thing: 'client' },
  'PATCH /api/clients/{id}': { who: 'clients.manage', thing: 'client', body: () => ({ labels: { floor: '2' } }) },
  'DELETE /api/clients/{id}': { who: 'clients.manage', thing: 'client' },
  'POST /api/clients/{id}/rotate-key': { who: 'clients.manage', thing: 'client' },
  'GET /api/clients/{id}/keys': { who: 'clients.manage', thing: 'client' },
  'DELETE /api/clients/{id}/keys/{keyId}': { who: 'clients.manage', thing: 'key' },
  'POST /api/enrolment-tokens': { who: 'clients.manage', everywhere: true, body: () => ({}) },
  'GET /api/enrolment-tokens': { who: 'clients.manage', everywhere: true },
  'DELETE /api/enrolment-tokens/{id}': { who: 'clients.manage', everywhere: true, thing: 'enrolment' },

  'POST /api/commands': { who: 'commands.create', thing: 'client', body: ({ client }) => ({ clientId: client, ...order }), foreign: 400 },
  'POST /api/commands/batch': { who: 'commands.create', thing: 'client', body: ({ client }) => ({ targets: { clientIds: [client] }, ...order }), foreign: 400 },
  'POST /api/commands/preview': { who: 'commands.create', thing: 'client', body: ({ client }) => ({ targets: { clientIds: [client] }, action: 'noop' }), foreign: 400 },
  'GET /api/commands': { who: 'commands.read' },
  'GET /api/batches/{id}': { who: 'commands.read', thing: 'batch' },
  'GET /api/commands/{id}': { who: 'commands.read', thing: 'command' },
  'GET /api/commands/{id}/logs': { who: 'commands.read', thing: 'command' },
  'GET /api/commands/{id}/output': { who: 'commands.read', thing: 'command' },
  'GET /api/commands/{id}/stream': { who: 'commands.read', thing: 'command' },
  'GET /api/commands/{id}/artifacts': { who: 'commands.read', thing: 'command' },
  'GET /api/commands/{id}/artifacts/{artifactId}': { who: 'commands.read', thing: 'artifact' },
  'GET /api/clients/{id}/queue': { who: 'commands.read', thing: 'client' },
  'POST /api/commands/{id}/cancel': { who: 'commands.cancel', thing: 'command' },
  'POST /api/commands/{id}/retry': { who: 'commands.retry', thing: 'command', answer: [409] },
  'GET /api/overview': { who: 'commands.read' },
  'GET /api/events': { who: 'anybody logged in' },

  'POST /api/agents/session': { who: 'agents', body: () => ({ version: '1', platform: 'x', actions: [], inFlight: [] }) },
  'POST /api/agents/alive': { who: 'agents' },
  'GET /api/agents/release': { who: 'agents', answer: [404] },
  'GET /api/agents/release/bundle': { who: 'agents', answer: [404] },
  'GET /api/events/{clientId}': { who: 'agents', thing: 'client' },
  // Whoever may open a WebSocket there is told to ask for one.
  'GET /api/ws/{clientId}': { who: 'agents', thing: 'client', answer: [426] },
  'POST /api/commands/{id}/start': { who: 'agents', thing: 'command', body: () => ({}), answer: [409] },
  'POST /api/commands/{id}/output': { who: 'agents', thing: 'command', body: () => ({ chunks: [] }), answer: [409] },
  'POST /api/commands/{id}/result': { who: 'agents', thing: 'command', body: () => ({ success: true }), answer: [409] },
  'POST /api/commands/{id}/artifacts': { who: 'agents', thing: 'command' },

  'GET /api/audit': { who: 'audit.read' },
  'GET /api/audit/{id}': { who: 'audit.read', thing: 'entry' },
  'GET /api/audit/checkpoints': { who: 'audit.read' },
  'POST /api/audit/exports': { who: 'audit.export', body: () => ({ format: 'ndjson' }) },
  'GET /api/audit/exports': { who: 'audit.export' },
  'GET /api/audit/exports/{id}': { who: 'audit.export', thing: 'export' },
  'GET /api/audit/exports/{id}/download': { who: 'audit.export', thing: 'export', answer: [409] },

  'GET /api/alerts': { who: 'alerts.read' },
  'GET /api/alerts/rules': { who: 'alerts.read', everywhere: true },
  'POST /api/alerts/rules': {
    who: 'alerts.manage', everywhere: true, body: () => ({ name: `rule ${Math.random()}`, condition: { kind: 'command_failed' }, channels: [] }),
  },
  'PATCH /api/alerts/rules/{id}': { who: 'alerts.manage', everywhere: true, thing: 'rule', body: () => ({ enabled: false }) },
  'DELETE /api/alerts/rules/{id}': { who: 'alerts.manage', everywhere: true, thing: 'rule' },
  'GET /api/alerts/channels': { who: 'alerts.manage', everywhere: true },
  'POST /api/alerts/channels': {
    who: 'alerts.manage', everywhere: true, body: () => ({ name: `channel ${Math.random()}`, kind: 'webhook', url: 'https://hooks.example.invalid/x' }),
  },
  'PATCH /api/alerts/channels/{id}': { who: 'alerts.manage', everywhere: true, thing: 'channel', body: () => ({ url: 'https://hooks.example.invalid/y' }) },
  'DELETE /api/alerts/channels/{id}': { who: 'alerts.manage', everywhere: true, thing: 'channel' },
  'POST /api/alerts/channels/{id}/rotate-secret': { who: 'alerts.manage', everywhere: true, thing: 'channel' },
  'POST /api/alerts/channels/{id}/test': { who: 'alerts.manage', everywhere: true, thing: 'channel' },
  'GET /api/alerts/deliveries': { who: 'alerts.read', everywhere: true },
  // It has not failed.
  'POST /api/alerts/deliveries/{id}/retry': { who: 'alerts.manage', everywhere: true, thing: 'delivery', answer: [409] },

  'GET /api/system': { who: 'system.read' },
  // There is no such queue.
  'GET /api/system/queues/{name}/failed': { who: 'system.read', answer: [404] },
  'POST /api/system/queues/{name}/failed/{jobId}/retry': { who: 'system.manage', answer: [404] },
};
