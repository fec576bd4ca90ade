import { DIALOG_DATA, DialogRef } from '@angular/cdk/dialog';
import { TestBed } from '@angular/core/testing';
import { I18n } from '../core/i18n/i18n';
import { ConfirmDialog, type Question } from './confirm-dialog';

describe('the question before something that cannot be undone', () => {
  const close = jest.fn();
  beforeEach(() => close.mockReset());

  async function ask(change: Partial<Question>): Promise<HTMLElement> {
    const question: Question = { title: 'Remove it?', lead: 'It cannot be undone.', button: 'Remove', ...change };
    TestBed.configureTestingModule({
      providers: [
        { provide: DIALOG_DATA, useValue: question },
        { provide: DialogRef, useValue: { close } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    const fixture = TestBed.createComponent(ConfirmDialog);
    await fixture.whenStable();
    return fixture.nativeElement as HTMLElement;
  }
  const confirm = (dialog: HTMLElement): void =>
    void dialog.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }));

  it('shows the whole of what is to be typed above the field, as its label', async () => {
    const email = `${'a'.repeat(242)}@example.com`;
    const dialog = await ask({ typed: email });
    const labels = [...(dialog.querySelector('input')?.labels ?? [])].map((label) => label.textContent);
    expect(labels).toEqual([`Type ${email} to confirm`]);
  });

  it('does it only when that was typed', async () => {
    const dialog = await ask({ typed: 'till-1' });
    confirm(dialog);
    expect(close).not.toHaveBeenCalled();
    const field = dialog.querySelector('input') as HTMLInputElement;
    field.value = ' till-1 ';
    field.dispatchEvent(new Event('input'));
    confirm(dialog);
    expect(close).toHaveBeenCalledWith(true);
  });
});
