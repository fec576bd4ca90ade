import { HttpErrorResponse, HttpHeaders, provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { signal } from '@angular/core';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { Router } from '@angular/router';
import type { Problem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { LoginPage } from './login.page';

const refusal = (status: number, code: string): HttpErrorResponse =>
  new HttpErrorResponse({
    status,
    headers: new HttpHeaders({ 'X-Request-Id': 'r-7' }),
    error: { status, code, detail: 'the server’s words', requestId: 'r-7' },
  });

describe('the log-in page', () => {
  const trouble = signal<Problem | null>(null);
  const session = { logIn: jest.fn(), trouble, expectReturn: jest.fn() };
  const router = { navigateByUrl: jest.fn() };
  let fixture: ComponentFixture<LoginPage>;
  let page: HTMLElement;

  beforeEach(async () => {
    trouble.set(null);
    session.logIn.mockReset().mockResolvedValue(undefined);
    router.navigateByUrl.mockReset().mockResolvedValue(true);
    TestBed.configureTestingModule({
      providers: [
        provideHttpClient(),
        provideHttpClientTesting(),
        { provide: Session, useValue: session },
        { provide: Router, useValue: router },
      ],
    });
    TestBed.inject(I18n).choose('en');
    fixture = TestBed.createComponent(LoginPage);
    page = fixture.nativeElement as HTMLElement;
    document.body.append(page);
    await fixture.whenStable();
  });
  afterEach(() => page.remove());

  const field = (selector: string): HTMLInputElement | null => page.querySelector(selector);
  const alert = (): string | undefined => page.querySelector('[role=alert]')?.textContent ?? undefined;

  async function fill(values: Record<string, string>): Promise<void> {
    for (const [selector, value] of Object.entries(values)) {
      const input = field(selector) as HTMLInputElement;
      input.value = value;
      input.dispatchEvent(new Event('input'));
    }
    page.querySelector('form')?.dispatchEvent(new Event('submit'));
    await fixture.whenStable();
  }

  const EMAIL = 'input[type=email]';
  const PASSWORD = 'input[type=password]';
  const OTP = 'input[autocomplete=one-time-code]';

  it('asks for what is missing before it calls the server', async () => {
    await fill({ [EMAIL]: 'nobody' });
    expect(page.textContent).toContain('This is not an e-mail address');
    expect(page.textContent).toContain('Type your password');
    expect(session.logIn).not.toHaveBeenCalled();
  });

  it.each([
    [undefined, '/'],
    ['/commands?status=failed', '/commands?status=failed'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
    ['https://evil.example', '/'],
    ['/login', '/'],
  ])('goes from next=%s to %s', async (next, destination) => {
    fixture.componentRef.setInput('next', next);
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'secret' });
    expect(session.logIn).toHaveBeenCalledWith({ email: 'a@b.c', password: 'secret' });
    expect(router.navigateByUrl).toHaveBeenCalledWith(destination, { replaceUrl: true });
  });

  it('tells a wrong password in words, with the request id', async () => {
    session.logIn.mockRejectedValue(refusal(401, 'unauthorized'));
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'wrong' });
    expect(alert()).toMatch(/The e-mail or the password is wrong\..*r-7/s);
    expect(field(OTP)).toBeNull();
    expect(router.navigateByUrl).not.toHaveBeenCalled();
  });

  it('asks for the one-time code when the server does, and sends it', async () => {
    session.logIn.mockRejectedValueOnce(refusal(401, 'otp_required'));
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'secret' });
    expect(document.activeElement).toBe(field(OTP));
    await fill({});
    expect(session.logIn).toHaveBeenCalledTimes(1);
    await fill({ [OTP]: ' 123456 ' });
    expect(session.logIn).toHaveBeenLastCalledWith({ email: 'a@b.c', password: 'secret', otp: '123456' });
    expect(router.navigateByUrl).toHaveBeenCalled();
  });

  it('keeps asking for the code of an account while it is wrong, and asks for none of another account', async () => {
    session.logIn
      .mockRejectedValueOnce(refusal(401, 'otp_required'))
      .mockRejectedValueOnce(refusal(401, 'otp_invalid'));
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'secret' });
    await fill({ [OTP]: '123456' });
    expect(alert()).toContain('The one-time code is wrong');
    expect(field(OTP)?.value).toBe('');
    expect(document.activeElement).toBe(field(OTP));
    await fill({ [EMAIL]: 'd@e.f', [PASSWORD]: 'other' });
    expect(session.logIn).toHaveBeenLastCalledWith({ email: 'd@e.f', password: 'other' });
    expect(field(OTP)).toBeNull();
  });

  it('uses the server’s own words for a code that it does not know', async () => {
    session.logIn.mockRejectedValue(refusal(403, 'something_new'));
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'secret' });
    expect(alert()).toContain('the server’s words');
  });

  it('says why an earlier session could not be taken up', async () => {
    trouble.set({ status: 0, code: 'unreachable', detail: '', errors: [], requestId: null });
    await fixture.whenStable();
    expect(alert()).toContain('The server cannot be reached');
  });

  it('says that a session has ended, which is no wrong password', async () => {
    trouble.set({ status: 401, code: 'unauthorized', detail: '', errors: [], requestId: null });
    await fixture.whenStable();
    expect(alert()).toContain('Your session has ended');
    session.logIn.mockRejectedValue(refusal(401, 'unauthorized'));
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'wrong' });
    expect(alert()).toContain('The e-mail or the password is wrong');
  });

  it('offers the single sign-on that the server has, and comes back to where the person wanted to go', async () => {
    expect(page.querySelector('a')).toBeNull();
    fixture.componentRef.setInput('next', '/commands?status=failed');
    TestBed.inject(HttpTestingController)
      .expectOne('/api/auth/methods')
      .flush({ password: true, openId: { name: 'Example Works' } });
    await fixture.whenStable();
    const link = page.querySelector('a') as HTMLAnchorElement;
    expect(link.textContent).toContain('Continue with Example Works');
    expect(link.getAttribute('href')).toBe('/api/auth/openid/start?returnTo=%2Fcommands%3Fstatus%3Dfailed');
    link.addEventListener('click', (event) => event.preventDefault());
    link.click();
    expect(session.expectReturn).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['openid_denied', 'refused'],
    ['email_taken', 'this e-mail and a password already'],
    ['something_new', 'did not succeed'],
    ['constructor', 'did not succeed'],
  ])('says in words what ?error=%s means, until the next attempt', async (error, words) => {
    fixture.componentRef.setInput('error', error);
    await fixture.whenStable();
    expect(alert()).toContain(words);
    session.logIn.mockRejectedValue(refusal(401, 'unauthorized'));
    await fill({ [EMAIL]: 'a@b.c', [PASSWORD]: 'wrong' });
    expect(alert()).not.toContain(words);
  });
});
