/** English, and the shape of the catalogue. */
export const en = {
  lead: 'Log in to continue',
  email: 'E-mail',
  password: 'Password',
  showPassword: 'Show the password',
  otp: 'One-time code',
  otpHint: 'From the app on your phone, or one of your recovery codes',
  submit: 'Log in',
  busy: 'Logging in…',
  emailMissing: 'Type your e-mail address',
  emailWrong: 'This is not an e-mail address',
  passwordMissing: 'Type your password',
  otpMissing: 'Type the code',
  badCredentials: 'The e-mail or the password is wrong.',
  or: 'or',
  signOn: (name: string): string => `Continue with ${name}`,
  errors: {
    openid_unavailable: 'The sign-on service does not answer. Try again in a moment, or log in with a password.',
    openid_denied: 'The sign-on service refused, or the sign-on was cancelled there.',
    openid_expired: 'The sign-on took more than ten minutes, or was begun in another browser. Begin again.',
    openid_invalid:
      'The answer of the sign-on service does not hold. Begin again; tell an administrator if it stays so.',
    email_unverified: 'The sign-on service gives no verified e-mail of yours. An administrator there can mend that.',
    email_taken: 'Somebody logs in here with this e-mail and a password already. Ask an administrator.',
    account_disabled: 'This account is disabled. Ask an administrator.',
    openid_failed: 'The sign-on did not succeed. The server log says why.',
  } as Record<string, string>,
};

export type Words = typeof en;
