import { ME, PageTest } from '../../../testing/page-test';
import { SecondFactorPanel } from './second-factor-panel';

const FACTOR = '/api/auth/second-factor';

describe('one’s own second factor', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('factor', SecondFactorPanel);
    await test.visit('/factor');
  });
  afterEach(() => test.verify());

  const become = (secondFactor: (typeof ME)['secondFactor']): void => test.user.set({ ...ME, secondFactor });

  it('is set up with a key to type or copy, confirmed by a code, and its recovery codes are shown once', async () => {
    await test.click('Set up a second factor');
    await test.answer(FACTOR, { secret: 'ABCDEFGHIJ', otpauthUri: 'otpauth://totp/x' }, 'POST');
    expect(test.element.querySelector('.key')?.textContent).toBe('ABCD EFGH IJ');
    expect(test.button('Open in the app of this device').getAttribute('href')).toBe('otpauth://totp/x');
    await test.type('input[formControlName=otp]', ' 123456 ');
    await test.submit();
    await test.refuse(`${FACTOR}/confirm`, 'POST', {
      status: 400,
      code: 'invalid_input',
      errors: [{ path: 'otp', message: 'is wrong, or was used before' }],
    });
    await test.until(() => test.element.querySelector('mat-error')?.textContent?.includes('was used before') ?? false);

    await test.type('input[formControlName=otp]', '654321');
    await test.submit();
    test.session.refresh.mockImplementation(() => {
      become({ enabled: true, required: false, satisfied: true });
      return Promise.resolve('t');
    });
    const confirm = await test.answer(`${FACTOR}/confirm`, { recoveryCodes: ['AAAA-1', 'BBBB-2'] }, 'POST');
    expect(confirm.request.body).toEqual({ otp: '654321' });
    await test.answer(FACTOR, { enabled: true, recoveryCodesLeft: 10 });
    await test.until(() => test.text.includes('Recovery codes left: 10'));
    expect(test.element.querySelector('gw-shown-once pre')?.textContent).toBe('AAAA-1\nBBBB-2');
    await test.click('I have kept it');
    expect(test.text).not.toContain('AAAA-1');
  });

  it('is proven in a session that began without it', async () => {
    become({ enabled: true, required: false, satisfied: false });
    await test.until(() => test.has('Prove it'));
    await test.submit();
    expect(test.text).toContain('Type the six digits');
    await test.type('input[formControlName=otp]', '123456');
    await test.submit();
    expect((await test.answer(`${FACTOR}/prove`, null, 'POST')).request.body).toEqual({ otp: '123456' });
    await test.until(() => test.session.refresh.mock.calls.length === 1);
  });

  it('is ended with a code or the password, and says at the field when that is wrong', async () => {
    become({ enabled: true, required: false, satisfied: true });
    await test.answer(FACTOR, { enabled: true, recoveryCodesLeft: 3 });
    await test.click('End the second factor');
    expect(test.text).toContain('Type the six digits');
    await test.type('input[formControlName=otp]', '123456');
    await test.click('End the second factor');
    const call = await test.call(FACTOR, 'DELETE');
    expect(call.request.body).toEqual({ otp: '123456' });
    call.flush(
      { code: 'invalid_input', errors: [{ path: 'otp', message: 'is wrong, or was used before' }] },
      { status: 400, statusText: 'x' },
    );
    await test.until(() => test.element.querySelector('mat-error')?.textContent?.includes('was used before') ?? false);
  });
});
