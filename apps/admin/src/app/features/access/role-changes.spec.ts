import type { Role } from './access-api';
import { changeOf, inputOf } from './role-changes';

const role: Role = {
  id: 'r1',
  name: 'branch',
  permissions: ['commands.read', 'clients.read'],
  scope: 'all',
  requiresSecondFactor: false,
  builtIn: false,
};

describe('what of a role would change', () => {
  it('is nothing before something was touched, or when it was put back', () => {
    expect(changeOf(role, undefined)).toBeNull();
    expect(changeOf(role, { permissions: ['clients.read', 'commands.read'], scope: 'all' })).toBeNull();
  });

  it('names what it gains and loses, and sends nothing else', () => {
    const change = changeOf(role, { permissions: ['commands.read', 'commands.create'], scope: 'granted' });
    expect(change).toMatchObject({ gains: ['commands.create'], loses: ['clients.read'], requiresSecondFactor: null });
    expect(change && inputOf(change)).toEqual({ permissions: ['commands.read', 'commands.create'], scope: 'granted' });
  });

  it('sends of a built-in role the demand for a second factor alone', () => {
    const change = changeOf({ ...role, builtIn: true }, { requiresSecondFactor: true });
    expect(change && inputOf(change)).toEqual({ requiresSecondFactor: true });
  });
});
