import { FormGroup } from '@angular/forms';
import type { Problem } from '../core/http/problem';

/** What the server says of one field of a body, by its path; null when it says nothing of it. */
export function faultAt(problem: Problem | null, path: string): string | null {
  const found = problem?.errors.filter(
    (error) => error.path === path || (/^[.[]/.test(error.path.slice(path.length)) && error.path.startsWith(path)),
  );
  return found && found.length > 0 ? found.map(({ message }) => message).join('; ') : null;
}

/** The same problem for a form that stands for this part of the body: paths within the part begin there. */
export function within(part: RegExp, problem: Problem): Problem {
  return { ...problem, errors: problem.errors.map(({ path, message }) => ({ path: path.replace(part, ''), message })) };
}

/** What the server said before is not known to hold any more: no control is wrong for it. */
export function forgetFaults(form: FormGroup): void {
  for (const control of Object.values(form.controls)) {
    if (control instanceof FormGroup) forgetFaults(control);
    else if (control.hasError('server')) control.updateValueAndValidity();
  }
}

/** Whether a form may be sent, as far as the console can tell; what is wrong is shown. */
export function isSendable(form: FormGroup): boolean {
  forgetFaults(form);
  form.markAllAsTouched();
  return form.valid;
}

/** Puts what the server says at the controls of the same name, as the error `server`, until they are changed. */
export function putFaults(form: FormGroup, problem: Problem): void {
  for (const [name, control] of Object.entries(form.controls)) {
    const server = faultAt(problem, name);
    if (server === null) continue;
    control.setErrors({ ...control.errors, server });
    control.markAsTouched();
  }
}

/** The same, and answers what is left to be told above the form; null when every fault found its field. */
export function showFaults(form: FormGroup, problem: Problem): Problem | null {
  putFaults(form, problem);
  const names = Object.keys(form.controls);
  const rest = problem.errors.filter((error) => !names.some((name) => faultAt({ ...problem, errors: [error] }, name)));
  return problem.errors.length > 0 && rest.length === 0 ? null : { ...problem, errors: rest };
}
