import { ChangeDetectionStrategy, Component, computed, input } from '@angular/core';
import type { ValidationErrors } from '@angular/forms';
import { injectServerWords } from './server-words';

/** Inside a `mat-error`: what the server says of this field (see server-faults.ts), or else the words of the page. */
@Component({
  selector: 'gw-field-fault',
  template: '{{ shown() }}',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class FieldFault {
  readonly errors = input.required<ValidationErrors | null>();
  readonly words = input('');
  private readonly inWords = injectServerWords();
  protected readonly shown = computed(() => {
    const fault: unknown = this.errors()?.['server'];
    return typeof fault === 'string' ? this.inWords(fault) : this.words();
  });
}
