import type { FormGroup } from '@angular/forms';
import type { Problem } from '../core/http/problem';

/** The key of an error that the server found; its value is the server's sentence. */
export const SERVER_FAULT = 'server';

/**
 * Puts each fault of the server at the control that its path names, where it stays until the value changes. Answers what is left to be told
 * above the form; null when every fault found its field.
 */
export function showFaults(form: FormGroup, problem: Problem): Problem | null {
  const rest = problem.errors.filter(({ path, message }) => {
    const control = form.get(path) ?? form.get(path.replace(/\[.*$/, ''));
    if (!path || !control) return true;
    control.setErrors({ ...control.errors, [SERVER_FAULT]: message });
    control.markAsTouched();
    return false;
  });
  if (problem.errors.length > 0 && rest.length === 0) return null;
  return { ...problem, errors: rest };
}
