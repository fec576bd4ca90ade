import { PERMISSIONS, type Permission, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import fc from 'fast-check';
import { excess, type HeldGrant, type Holding, NOTHING } from './holding';
import { limitFaults } from './parameter-limits';

const CLIENTS = [
  { id: 'a', groups: ['x'] },
  { id: 'b', groups: ['x', 'y'] },
  { id: 'c', groups: [] },
];
const ACTIONS = ['print', 'noop'];
const COPIES = [1, 5, 50];

const permissions = fc.subarray(['commands.create', 'commands.read', 'clients.manage', 'users.manage', 'roles.manage'] satisfies Permission[]);
const grant: fc.Arbitrary<HeldGrant> = fc.record({
  place: fc.oneof(
    fc.constantFrom(...CLIENTS).map(({ id, groups }) => ({ clientId: id, groups })),
    fc.constantFrom('x', 'y').map((group) => ({ group })),
  ),
  actions: fc.subarray([...ACTIONS, '*'], { minLength: 1 }),
  limits: fc.oneof(fc.constant({}), fc.constantFrom(1, 10).map((maximum) => ({ print: { copies: { maximum } } }))),
});
const holding: fc.Arbitrary<Holding> = fc
  .record({ permissions, wide: permissions, grants: fc.array(grant, { maxLength: 3 }) })
  .map(({ permissions: held, wide, grants }) => ({ permissions: held, everywhere: held.filter((name) => wide.includes(name)), grants }));

/** Every single thing that somebody may do, one by one: told without the code under test. */
function deeds({ permissions: held, everywhere, grants }: Holding): Set<string> {
  const scoped: readonly string[] = SCOPED_PERMISSIONS;
  const found = held.filter((name) => !scoped.includes(name)) as string[];
  for (const permission of held.filter((name) => scoped.includes(name))) {
    for (const client of CLIENTS) for (const action of ACTIONS) for (const copies of COPIES) {
      const granted = grants.some(
        ({ place, actions, limits }) =>
          ('group' in place ? client.groups.includes(place.group) : place.clientId === client.id) &&
          (actions.includes('*') || actions.includes(action)) &&
          limitFaults(limits, action, { copies }).length === 0,
      );
      if (everywhere.includes(permission) || granted) found.push(`${permission} ${client.id} ${action} ${copies}`);
    }
  }
  return new Set(found);
}

describe('excess', () => {
  it('lets nobody gain a right that the giver lacks', () => {
    fc.assert(
      fc.property(holding, holding, holding, (giver, before, after) => {
        if (excess(giver, before, after).length > 0) return;
        const allowed = new Set([...deeds(giver), ...deeds(before)]);
        expect([...deeds(after)].filter((deed) => !allowed.has(deed))).toEqual([]);
      }),
      { numRuns: 20_000 },
    );
  });

  it('lets whoever has everything give anything, and anybody give what they have', () => {
    const all: Holding = { permissions: PERMISSIONS, everywhere: PERMISSIONS, grants: [] };
    fc.assert(fc.property(holding, holding, (before, after) => expect(excess(all, before, after)).toEqual([])));
    fc.assert(fc.property(holding, (own) => expect(excess(own, NOTHING, own)).toEqual([])));
    fc.assert(fc.property(holding, holding, (giver, own) => expect(excess(giver, own, own)).toEqual([])));
  });

  it('tells what is too much', () => {
    const clerk: Holding = { permissions: ['users.manage', 'commands.read'], everywhere: ['users.manage'], grants: [] };
    const wanted: Holding = { permissions: ['audit.read', 'commands.read', 'roles.manage'], everywhere: ['commands.read'], grants: [] };
    expect(excess(clerk, NOTHING, wanted)).toEqual(['audit.read', 'commands.read on all clients', 'roles.manage']);
  });
});
