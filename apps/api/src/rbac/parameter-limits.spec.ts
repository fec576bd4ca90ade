import type { ParameterLimits } from '@gwanje/contracts';
import { inspectLimits, limitFaults } from './parameter-limits';

describe('limits on parameters', () => {
  it.each([
    { allOf: [{ $ref: '#' }] },
    { $async: true, maximum: 10 },
    { properties: { deep: { $id: 'https://example.com/x' } } },
  ])('takes no schema that refers to itself or answers later: %j', (schema) => {
    expect(() => inspectLimits({ print: { copies: schema } } as unknown as ParameterLimits, ['print'], 'items[0]')).toThrow('must not use');
  });

  it('takes nothing that every object has for a limit or a parameter', () => {
    expect(limitFaults({}, 'constructor', {})).toEqual([]);
    expect(limitFaults({ constructor: { toString: { type: 'string' } } }, 'constructor', {})).toEqual([
      { path: 'payload.toString', message: 'must be given: your grant limits it' },
    ]);
  });
});
