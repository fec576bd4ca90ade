import { ChangeDetectionStrategy, Component, computed, inject, input } from '@angular/core';
import type { ValidationErrors } from '@angular/forms';
import { I18n } from '../core/i18n/i18n';
import { serverWords } from './server-words';

/** Inside a `mat-error`: what the server says of this field (see server-faults.ts), or else the words of the page. */
@Component({
  selector: 'gw-field-fault',
  template: '{{ shown() }}',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class FieldFault {
  readonly errors = input.required<ValidationErrors | null>();
  readonly words = input('');
  private readonly language = inject(I18n).language;
  protected readonly shown = computed(() => {
    const fault: unknown = this.errors()?.['server'];
    return typeof fault === 'string' ? serverWords(fault, this.language()) : this.words();
  });
}
