import { TestBed } from '@angular/core/testing';
import type { Problem } from '../core/http/problem';
import { I18n } from '../core/i18n/i18n';
import { ProblemNotice } from './problem-notice';

describe('the notice of a problem', () => {
  async function told(change: Partial<Problem>): Promise<string> {
    TestBed.inject(I18n).choose('ko');
    const fixture = TestBed.createComponent(ProblemNotice);
    const problem = { status: 400, code: 'new', detail: '', errors: [], requestId: null, ...change };
    fixture.componentRef.setInput('problem', problem);
    await fixture.whenStable();
    return ((fixture.nativeElement as HTMLElement).textContent ?? '').replace(/\s+/g, ' ').trim();
  }

  it('tells in the language of the reader what the server says of each field', async () => {
    const errors = [{ path: 'payload.copies', message: 'must be <= 3' }];
    expect(await told({ code: 'invalid_input', errors })).toContain('payload.copies: 3 이하여야 합니다');
  });

  it('tells the sentence of a code that has no words in the language of the reader', async () => {
    expect(await told({ detail: 'You need the permission users.manage' })).toContain('users.manage 권한이 필요합니다');
  });
});
