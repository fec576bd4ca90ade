import { FormControl, FormGroup, Validators } from '@angular/forms';
import type { Problem } from '../core/http/problem';
import { faultAt, isSendable, putFaults } from './server-faults';

const problem = (...errors: [path: string, message: string][]): Problem => ({
  status: 400,
  code: 'invalid_input',
  detail: '',
  errors: errors.map(([path, message]) => ({ path, message })),
  requestId: null,
});

describe('what the server says of a field', () => {
  it('is found by the path, also of what is within', () => {
    const said = problem(['groups[0]', 'a'], ['groups.x', 'b'], ['groupsOfOthers', 'c'], ['name', 'd']);
    expect(faultAt(said, 'groups')).toBe('a; b');
    expect(faultAt(said, 'name')).toBe('d');
    expect(faultAt(said, 'nam')).toBeNull();
    expect(faultAt(null, 'name')).toBeNull();
  });

  it('stands at the control of that name until it is changed', () => {
    const form = new FormGroup({ name: new FormControl('x'), other: new FormControl('y') });
    putFaults(form, problem(['name', 'is taken']));
    expect(form.controls.name.getError('server')).toBe('is taken');
    expect(form.controls.name.touched).toBe(true);
    expect(form.controls.other.valid).toBe(true);
    form.controls.name.setValue('z');
    expect(form.valid).toBe(true);
  });

  it('keeps no form from being sent again, unlike what the console itself knows to be wrong', () => {
    const inner = new FormGroup({ name: new FormControl('x') });
    const form = new FormGroup({ inner, other: new FormControl('', Validators.required) });
    putFaults(inner, problem(['name', 'is taken']));
    expect(isSendable(form)).toBe(false);
    expect(form.controls.other.touched).toBe(true);
    expect(inner.valid).toBe(true);
    form.controls.other.setValue('y');
    expect(isSendable(form)).toBe(true);
  });
});
