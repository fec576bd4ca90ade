import { FakeAgent } from '../../apps/api/test/support/fake-agent';

export interface Furnished {
  /** The address of each page, by its name. */
  pages: Record<string, string>;
  /** Ends what is connected. */
  leave(): void;
}
type Made = { id: string; clientKey: string; batchId: string; name: string };

/** Puts machines, people, commands and grants into a new server, so that there is something to see. */
export async function furnish(url: string, admin: { email: string; password: string }): Promise<Furnished> {
  let token = '';
  const call = async (method: string, path: string, body?: object): Promise<Made> => {
    const answer = await fetch(url + path, {
      method, ...(body && { body: JSON.stringify(body) }), headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text ? JSON.parse(text) : {}) as Made;
  };
  ({ accessToken: token } = (await call('POST', '/api/auth/login', admin)) as unknown as { accessToken: string });

  const clients: Made[] = [];
  for (let n = 1; n <= 24; n++) {
    const groups = [n % 3 === 0 ? 'warehouse' : 'shop', ...(n % 5 === 0 ? ['printers'] : [])];
    clients.push(await call('POST', '/api/clients', { name: `till-${String(n).padStart(2, '0')}`, groups, labels: { floor: String(1 + (n % 3)) } }));
  }
  const agents: FakeAgent[] = [];
  for (const { id, clientKey } of clients.slice(0, 16)) {
    const agent = new FakeAgent(url, id, clientKey);
    agents.push(agent);
    await agent.connect();
    await agent.post('/api/agents/session', { version: '0.1.0', platform: 'linux', actions: [{ name: 'noop' }, { name: 'print' }, { name: 'shell' }], inFlight: [] });
  }
  const { batchId } = await call('POST', '/api/commands/batch', { targets: { groups: ['shop'] }, action: 'noop', payload: {} });
  const shell = await call('POST', '/api/commands', { clientId: 'till-01', action: 'shell', payload: { program: '/usr/bin/inventory', args: ['--count'] }, priority: 7 });
  await call('POST', '/api/commands', { clientId: 'till-02', action: 'print', payload: { filePath: '/srv/receipts/42.pdf' } });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  for (const agent of agents) {
    for (const { id, action } of agent.received) {
      if (action === 'shell') {
        await agent.post(`/api/commands/${id}/start`, {});
        const text = Array.from({ length: 40 }, (_, n) => `counting shelf ${n + 1} of 40 …\n`).join('');
        await agent.post(`/api/commands/${id}/output`, { chunks: [{ seq: 0, stream: 'stdout', text }, { seq: 1, stream: 'stderr', text: 'shelf 17 is locked\n' }], progress: { percent: 60 } });
      } else if (action === 'print') {
        await agent.post(`/api/commands/${id}/result`, { success: false, error: 'the printer is out of paper' });
      } else {
        await agent.post(`/api/commands/${id}/result`, { success: true, data: { host: 'till' }, durationMs: 240 });
      }
    }
  }
  const user = await call('POST', '/api/users', { email: 'operator@example.com', name: 'Operator', password: 'violet kettle drum', roles: ['operator'] });
  await call('POST', '/api/roles', { name: 'branch manager', permissions: ['commands.create', 'commands.read', 'clients.read'], scope: 'granted' });
  await call('PUT', '/api/groups/shop/permissions', { items: [{ role: 'branch manager', actions: ['print'], limits: { print: { copies: { maximum: 10 } } } }] });
  await call('POST', '/api/audit/exports', { format: 'ndjson' });
  const channel = await call('POST', '/api/alerts/channels', { name: 'on call', kind: 'webhook', url: 'https://hooks.example.invalid/gwanje' });
  const channels = [channel.id];
  await call('POST', '/api/alerts/rules', { name: 'tills wait', condition: { kind: 'backlog', over: 0, group: 'shop' }, channels });
  await call('POST', '/api/alerts/rules', { name: 'print failed', condition: { kind: 'command_failed', action: 'print' }, channels });
  await call('POST', '/api/commands', { clientId: 'till-23', action: 'noop', payload: {} });
  await call('POST', `/api/alerts/channels/${channel.id}/test`);
  const pages = {
    overview: '/overview', clients: '/clients', client: '/clients/till-01', 'client-new': '/clients/new', enrol: '/clients/enrol',
    commands: '/commands', batch: `/commands?batch=${batchId}`, 'command-new': '/commands/new?client=till-03&action=print', command: `/commands/${shell.id}`,
    users: '/access/users', 'user-new': '/access/users/new', user: `/access/users/${user.id}`, roles: '/access/roles', grants: '/access/grants', explain: '/access/explain',
    audit: '/audit', 'audit-exports': '/audit/exports', 'audit-seals': '/audit/seals', alerts: '/alerts', 'alert-rules': '/alerts/rules', 'alert-channels': '/alerts/channels', 'alert-deliveries': '/alerts/deliveries', system: '/system', profile: '/profile', 'not-found': '/nowhere',
  };
  return { pages, leave: () => agents.forEach((agent) => agent.disconnect()) };
}
