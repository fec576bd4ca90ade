import { COMMA, ENTER } from '@angular/cdk/keycodes';
import { ChangeDetectionStrategy, Component, inject, input, model, signal } from '@angular/core';
import { MatChipsModule } from '@angular/material/chips';
import { MatFormFieldModule } from '@angular/material/form-field';
import { I18n } from '../core/i18n/i18n';
import { Icon } from './icon';

/** A list of short texts in one field: Enter, a comma or leaving the field adds what was typed. */
@Component({
  selector: 'gw-tag-field',
  imports: [Icon, MatChipsModule, MatFormFieldModule],
  template: `
    <mat-form-field appearance="outline" subscriptSizing="dynamic">
      <mat-label>{{ label() }}</mat-label>
      <mat-chip-grid #grid [attr.aria-label]="tags().length > 0 ? text().common.chosen : null">
        @for (tag of tags(); track tag) {
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
        [attr.aria-invalid]="fault() !== null"
        (input)="isWrong.set(false)"
        (matChipInputTokenEnd)="add(field)"
        (blur)="leave(field)"
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
      <p role="alert">{{ wrong() }}</p>
    } @else if (fault()) {
      <p role="alert">{{ fault() }}</p>
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
  /** Offered while typing. */
  readonly suggestions = input<readonly string[]>([]);
  /** What the server says of the list. */
  readonly fault = input<string | null>(null);

  protected readonly listId = `tags-${next++}`;
  protected readonly text = inject(I18n).text;
  protected readonly separators = [ENTER, COMMA];
  protected readonly isWrong = signal(false);

  protected isPressed = false;
  private left?: HTMLInputElement;

  /** A field that grows under the pointer would move the button that is being pressed: that waits until it is let go. */
  protected leave(field: HTMLInputElement): void {
    if (this.isPressed) this.left = field;
    else this.add(field);
  }

  protected release(): void {
    this.isPressed = false;
    if (this.left) this.add(this.left);
    this.left = undefined;
  }

  protected add(field: HTMLInputElement): void {
    // What was pasted may be several.
    const added = field.value.split(',').flatMap((tag) => tag.trim() || []);
    this.isWrong.set(added.some((tag) => !this.pattern().test(tag)));
    if (this.isWrong()) return;
    field.value = '';
    if (added.length > 0) this.tags.update((tags) => [...new Set([...tags, ...added])]);
  }

  protected remove(tag: string): void {
    this.tags.update((tags) => tags.filter((other) => other !== tag));
  }
}

let next = 0;
