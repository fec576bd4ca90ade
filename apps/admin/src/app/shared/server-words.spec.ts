import { FormControl, FormGroup } from '@angular/forms';
import type { Problem } from '../core/http/problem';
import { showFaults } from './server-faults';
import { refusalWords, serverWords } from './server-words';

const problem = (change: Partial<Problem>): Problem => ({
  status: 400,
  code: 'x',
  detail: '',
  errors: [],
  requestId: null,
  ...change,
});

describe('what the server says', () => {
  it('is told in Korean where it is known, with what it names', () => {
    expect(serverWords('must have at least 12 characters', 'ko')).toBe('12자 이상이어야 합니다');
    expect(serverWords('You need the permission users.manage', 'ko')).toBe('users.manage 권한이 필요합니다');
    expect(serverWords('something new', 'ko')).toBe('something new');
    expect(serverWords('is wrong', 'en')).toBe('is wrong');
  });

  it('of a refusal is its own sentence, which says what is lacking', () => {
    expect(
      refusalWords(problem({ code: 'forbidden', detail: 'You cannot take what you do not have: a' }), 'ko'),
    ).toContain(': a');
    expect(refusalWords(problem({ code: 'last_admin', detail: 'x' }), 'en')).toBeNull();
    expect(refusalWords(null, 'en')).toBeNull();
  });

  it('about a field stands at the field, and only the rest above the form', () => {
    const form = new FormGroup({ name: new FormControl('a'), roles: new FormControl('b') });
    const errors = [
      { path: 'name', message: 'is taken' },
      { path: 'roles[1]', message: 'there is no role x' },
      { path: 'elsewhere', message: 'is odd' },
    ];
    expect(showFaults(form, problem({ errors }))?.errors).toEqual([errors[2]]);
    expect(form.controls.name.errors).toEqual({ server: 'is taken' });
    expect(form.controls.roles.errors).toEqual({ server: 'there is no role x' });
    form.controls.name.setValue('b');
    expect(form.controls.name.errors).toBeNull();
    expect(showFaults(form, problem({ errors: errors.slice(0, 1) }))).toBeNull();
    expect(showFaults(form, problem({ detail: 'no fields' }))?.detail).toBe('no fields');
  });
});
