import { HttpErrorResponse } from '@angular/common/http';
import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import type { Command } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { CommandList } from './command-list';
import { CommandsApi } from './commands-api';
import { Selection } from './selection';

describe('the commands that are chosen', () => {
  const api = { cancel: jest.fn(), retry: jest.fn() };
  const rows = signal<Partial<Command>[]>(['1', '2', '3', '4'].map((id) => ({ id, status: 'failed' })));
  let selection: Selection;

  beforeEach(() => {
    api.retry.mockReset();
    TestBed.configureTestingModule({
      providers: [
        Selection,
        { provide: CommandsApi, useValue: api },
        { provide: CommandList, useValue: { rows } },
        { provide: Session, useValue: { user: signal({ permissions: ['commands.retry'] }) } },
      ],
    });
    selection = TestBed.inject(Selection);
  });

  const refusal = (status: number, code: string, detail: string): HttpErrorResponse =>
    new HttpErrorResponse({ status, error: { code, detail } });

  it('are all tried, and each reason of those that are refused is told once, in the language of the reader', async () => {
    api.retry
      .mockResolvedValueOnce(undefined)
      .mockRejectedValueOnce(refusal(409, 'not_retryable', 'A command that is running cannot be retried'))
      .mockRejectedValueOnce(refusal(409, 'not_retryable', 'A command that is pending cannot be retried'))
      .mockRejectedValueOnce(refusal(403, 'not_granted', 'No grant lets you run print on this client'));
    selection.toggleAll();
    TestBed.inject(I18n).choose('en');
    await selection.retry();
    expect(selection.outcome()).toMatchObject({ done: 1, problems: { length: 3 } });
    expect(selection.reasons()).toEqual([
      'As it stands now it cannot be run again.',
      'No grant lets you run print on this client',
    ]);
    TestBed.inject(I18n).choose('ko');
    expect(selection.reasons()[1]).toBe('이 클라이언트에서 print 동작을 실행하도록 허용되지 않았습니다');
    expect(selection.chosen()).toEqual([]);
  });

  it('forget what came of those before when others are chosen', async () => {
    api.retry.mockResolvedValue(undefined);
    selection.toggleAll();
    await selection.retry();
    expect(selection.outcome()?.done).toBe(4);
    selection.toggle('1');
    expect(selection.outcome()).toBeNull();
    await selection.retry();
    expect(selection.outcome()?.done).toBe(1);
    selection.toggleAll();
    expect(selection.outcome()).toBeNull();
  });
});
