/** English, and the shape of the catalogue. */
export const en = {
  lead: 'Log in to continue',
  email: 'E-mail',
  password: 'Password',
  showPassword: 'Show the password',
  otp: 'One-time code',
  otpHint: 'From the app on your phone',
  submit: 'Log in',
  busy: 'Logging in…',
  emailMissing: 'Type your e-mail address',
  emailWrong: 'This is not an e-mail address',
  passwordMissing: 'Type your password',
  otpMissing: 'Type the code',
  badCredentials: 'The e-mail or the password is wrong.',
};

export type Words = typeof en;
