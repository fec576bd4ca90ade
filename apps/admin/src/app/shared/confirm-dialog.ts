import { Dialog, DIALOG_DATA, DialogRef } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { firstValueFrom } from 'rxjs';
import { I18n } from '../core/i18n/i18n';

export interface Question {
  title: string;
  /** What will happen. */
  lead: string;
  /** What the button says that does it. */
  button: string;
  /** To be typed before the button works. */
  typed?: string;
}

/** Asks before something that cannot be undone. */
@Component({
  selector: 'gw-confirm-dialog',
  imports: [MatButtonModule, MatFormFieldModule, MatInputModule],
  template: `
    <form (submit)="$event.preventDefault(); confirm()">
      <h2 id="question">{{ question.title }}</h2>
      <p>{{ question.lead }}</p>
      @if (question.typed; as typed) {
        <!-- Not a label of the field's own, which is one line and cuts off a long name. -->
        <label for="typed">{{ text().common.typeToConfirm(typed) }}</label>
        <mat-form-field appearance="outline">
          <input #field matInput id="typed" autocomplete="off" spellcheck="false" (input)="answer.set(field.value)" />
        </mat-form-field>
      }
      <div class="buttons">
        <button matButton type="button" (click)="dialog.close(false)">{{ text().common.cancel }}</button>
        <button matButton="filled" type="submit" class="gw-danger" [disabled]="!isConfirmed()" disabledInteractive>
          {{ question.button }}
        </button>
      </div>
    </form>
  `,
  styles: `
    form {
      display: flex;
      flex-direction: column;
      gap: 8px;
      padding: 24px;
    }
    p,
    label {
      margin: 0 0 8px;
      overflow-wrap: anywhere;
    }
    .buttons {
      display: flex;
      flex-wrap: wrap;
      justify-content: flex-end;
      gap: 8px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ConfirmDialog {
  protected readonly dialog = inject<DialogRef<boolean>>(DialogRef);
  protected readonly question = inject<Question>(DIALOG_DATA);
  protected readonly text = inject(I18n).text;
  protected readonly answer = signal('');
  protected readonly isConfirmed = computed(
    () => this.question.typed === undefined || this.answer().trim() === this.question.typed,
  );

  protected confirm(): void {
    if (this.isConfirmed()) this.dialog.close(true);
  }
}

/** Whether the person confirmed it; false when the dialog was closed in any other way. */
export async function confirmed(dialog: Dialog, question: Question): Promise<boolean> {
  const opened = dialog.open<boolean>(ConfirmDialog, {
    data: question,
    role: 'alertdialog',
    panelClass: 'gw-dialog',
    ariaModal: true,
    ariaLabelledBy: 'question',
  });
  return (await firstValueFrom(opened.closed, { defaultValue: false })) === true;
}
