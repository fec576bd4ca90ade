import { ChangeDetectionStrategy, Component, inject, Injectable } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MAT_DIALOG_DATA, MatDialog, MatDialogModule } from '@angular/material/dialog';
import { firstValueFrom } from 'rxjs';
import { I18n } from '../core/i18n/i18n';

export interface Question {
  title: string;
  /** What follows from a yes. */
  text: string;
  /** What the button says that does it. */
  yes: string;
}

/** Asks before something that cannot simply be taken back. */
@Injectable({ providedIn: 'root' })
export class AskFirst {
  private readonly dialog = inject(MatDialog);

  async ask(question: Question): Promise<boolean> {
    const opened = this.dialog.open<AskFirstDialog, Question, boolean>(AskFirstDialog, {
      data: question,
      role: 'alertdialog',
      maxWidth: '480px',
      autoFocus: 'first-tabbable',
    });
    return (await firstValueFrom(opened.afterClosed())) ?? false;
  }
}

@Component({
  selector: 'gw-ask-first-dialog',
  imports: [MatButtonModule, MatDialogModule],
  template: `
    <h2 matDialogTitle>{{ question.title }}</h2>
    <mat-dialog-content>{{ question.text }}</mat-dialog-content>
    <mat-dialog-actions align="end">
      <button matButton type="button" [matDialogClose]="false">{{ text().common.cancel }}</button>
      <button matButton="filled" type="button" [matDialogClose]="true">{{ question.yes }}</button>
    </mat-dialog-actions>
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class AskFirstDialog {
  protected readonly question = inject<Question>(MAT_DIALOG_DATA);
  protected readonly text = inject(I18n).text;
}
