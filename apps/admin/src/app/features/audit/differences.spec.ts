import { differences, fieldsOf } from './differences';

describe('what was changed', () => {
  it('is told field by field', () => {
    const before = { name: 'Kim', roles: ['viewer'], disabled: false, labels: { floor: '1' } };
    const after = { name: 'Kim', roles: ['viewer', 'operator'], disabled: true, scope: 'all', labels: {} };
    expect(differences(before, after)).toEqual([
      { path: 'disabled', before: 'false', after: 'true', kind: 'changed' },
      { path: 'labels.floor', before: '1', after: null, kind: 'removed' },
      { path: 'name', before: 'Kim', after: 'Kim', kind: 'same' },
      { path: 'roles', before: 'viewer', after: 'viewer, operator', kind: 'changed' },
      { path: 'scope', before: null, after: 'all', kind: 'added' },
    ]);
  });

  it('reaches into lists of objects', () => {
    const grant = { user: 'kim@example.com', actions: ['print'], limits: { print: { copies: { maximum: 10 } } } };
    expect([...fieldsOf({ items: [grant] })]).toEqual([
      ['items[0].user', 'kim@example.com'],
      ['items[0].actions', 'print'],
      ['items[0].limits.print.copies.maximum', '10'],
    ]);
  });

  it('takes nothing for no fields, and a plain value for one', () => {
    expect(differences(null, undefined)).toEqual([]);
    expect(differences('a', 'b')).toEqual([{ path: '', before: 'a', after: 'b', kind: 'changed' }]);
    expect(differences({ a: null }, { a: null })).toEqual([{ path: 'a', before: '–', after: '–', kind: 'same' }]);
  });
});
