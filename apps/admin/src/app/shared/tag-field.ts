import { COMMA, ENTER } from '@angular/cdk/keycodes';
import {
  ChangeDetectionStrategy,
  Component,
  computed,
  ElementRef,
  inject,
  input,
  model,
  signal,
  viewChild,
} from '@angular/core';
import { MatChipsModule } from '@angular/material/chips';
import { MatFormFieldModule } from '@angular/material/form-field';
import { I18n } from '../core/i18n/i18n';
import { Icon } from './icon';
import { injectServerWords } from './server-words';

/**
 * A list of short texts in one field: Enter, a comma or leaving the field adds what was typed. What is wrong stays in the field until it
 * is mended, and a form that has such fields asks `areSettled` before it is sent.
 */
@Component({
  selector: 'gw-tag-field',
  imports: [Icon, MatChipsModule, MatFormFieldModule],
  template: `
    <mat-form-field appearance="outline" subscriptSizing="dynamic">
      <mat-label>{{ label() }}</mat-label>
      <mat-chip-grid #grid [attr.aria-label]="tags().length > 0 ? text().common.chosen : null">
        @for (tag of tags(); track keyOf()(tag)) {
          <mat-chip-row (removed)="remove(tag)">
            {{ tag }}
            <button matChipRemove type="button" [attr.aria-label]="text().common.removeTag(tag)">
              <gw-icon name="clear" />
            </button>
          </mat-chip-row>
        }
      </mat-chip-grid>
      <!-- Beside the grid, whose children are rows. -->
      <input
        #field
        autocomplete="off"
        spellcheck="false"
        [attr.list]="suggestions().length > 0 ? listId : null"
        [matChipInputFor]="grid"
        [matChipInputSeparatorKeyCodes]="separators"
        [attr.aria-invalid]="isWrong() || fault() !== null"
        (input)="refused.set([])"
        (matChipInputTokenEnd)="settle()"
        (blur)="leave()"
      />
      <datalist [id]="listId">
        @for (suggestion of suggestions(); track suggestion) {
          <option [value]="suggestion"></option>
        }
      </datalist>
      @if (hint()) {
        <mat-hint>{{ hint() }}</mat-hint>
      }
    </mat-form-field>
    @if (isWrong()) {
      <p role="alert">{{ wrong() }}: {{ refused().join(', ') }}</p>
    } @else if (fault(); as fault) {
      <p role="alert">{{ inWords(fault) }}</p>
    }
  `,
  styles: `
    mat-form-field {
      width: 100%;
    }
    p {
      margin: 4px 16px 0;
      color: var(--mat-sys-error);
      font: var(--mat-sys-body-small);
    }
  `,
  host: {
    '(document:pointerdown)': 'isPressed = true',
    '(document:pointerup)': 'release()',
    '(document:pointercancel)': 'release()',
  },
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class TagField {
  readonly label = input.required<string>();
  readonly hint = input<string>('');
  readonly tags = model.required<readonly string[]>();
  /** What every tag must look like, and what to say of one that does not. */
  readonly pattern = input(/./);
  readonly wrong = input<string>('');
  /** Of tags with the same key there is one: the last that was added. */
  readonly keyOf = input<(tag: string) => string>((tag) => tag);
  /** Offered while typing. */
  readonly suggestions = input<readonly string[]>([]);
  /** What the server says of the list. */
  readonly fault = input<string | null>(null);

  protected readonly listId = `tags-${next++}`;
  protected readonly text = inject(I18n).text;
  protected readonly inWords = injectServerWords();
  protected readonly separators = [ENTER, COMMA];
  /** What was typed and cannot be added. */
  protected readonly refused = signal<readonly string[]>([]);
  readonly isWrong = computed(() => this.refused().length > 0);

  protected isPressed = false;
  private isLeft = false;
  private readonly field = viewChild.required<ElementRef<HTMLInputElement>>('field');

  /** Adds what stands in the field, each that is right; false when something wrong stays there. */
  settle(): boolean {
    const { nativeElement: field } = this.field();
    // What was pasted may be several.
    const typed = field.value.split(',').flatMap((tag) => tag.trim() || []);
    const added = typed.filter((tag) => this.pattern().test(tag));
    this.refused.set(typed.filter((tag) => !added.includes(tag)));
    field.value = this.refused().join(', ');
    if (added.length > 0) {
      const byKey = new Map([...this.tags(), ...added].map((tag) => [this.keyOf()(tag), tag]));
      this.tags.set([...byKey.values()]);
    }
    return !this.isWrong();
  }

  focus(): void {
    this.field().nativeElement.focus();
  }

  /** Forgets what stands in the field. */
  clear(): void {
    this.field().nativeElement.value = '';
    this.refused.set([]);
  }

  /** A field that grows under the pointer would move the button that is being pressed: that waits until it is let go. */
  protected leave(): void {
    if (this.isPressed) this.isLeft = true;
    else this.settle();
  }

  protected release(): void {
    this.isPressed = false;
    if (this.isLeft) this.settle();
    this.isLeft = false;
  }

  protected remove(tag: string): void {
    this.tags.update((tags) => tags.filter((other) => other !== tag));
  }
}

/** Whether a form may be sent: nothing that is wrong stands in these fields; the first where it does gets the focus. */
export function areSettled(fields: readonly TagField[]): boolean {
  const [wrong] = fields.filter((field) => !field.settle());
  wrong?.focus();
  return wrong === undefined;
}

let next = 0;
