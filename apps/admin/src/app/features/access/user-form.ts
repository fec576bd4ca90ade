import { FormControl, FormGroup, Validators } from '@angular/forms';
import type { Scope } from '@gwanje/contracts';

/** What of an account its administrators type. */
export type UserForm = FormGroup<{
  email: FormControl<string>;
  name: FormControl<string>;
  scope: FormControl<Scope>;
}>;

export function userForm(): UserForm {
  return new FormGroup({
    email: new FormControl('', {
      nonNullable: true,
      validators: [Validators.required, Validators.email, Validators.maxLength(254)],
    }),
    name: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.maxLength(200)] }),
    scope: new FormControl<Scope>('all', { nonNullable: true }),
  });
}
