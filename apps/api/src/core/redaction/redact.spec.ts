import { isSecretName, redact, REDACTED } from './redact';

describe('redact', () => {
  it.each([
    'password', 'newPassword', 'PASSWORD_HASH', 'token', 'refreshToken', 'refresh', 'clientKey', 'client_key', 'key_hash', 'otp', 'otpSecret',
    'recoveryCodes', 'authorization', 'X-Api-Key', 'Set-Cookie', 'cookie', 'client-secret', 'jwt', 'privateKey', 'pin',
  ])('hides what stands under %s', (name) => {
    expect(redact({ a: [{ [name]: 'x' }] })).toEqual({ a: [{ [name]: REDACTED }] });
    expect(redact({ [name]: { deep: ['x'] } })).toEqual({ [name]: REDACTED });
    expect(redact({ [name]: 123456 })).toEqual({ [name]: REDACTED });
  });

  it.each(['tokenId', 'token_id', 'passwordChangedAt', 'hotplug', 'spin', 'action', 'keyId', 'name', 'groups'])('shows what stands under %s', (name) => {
    expect(isSecretName(name)).toBe(false);
    expect(redact({ [name]: 'x' })).toEqual({ [name]: 'x' });
  });

  it('finds our credentials in any text, also in names', () => {
    const key = `sk_till1_${'a'.repeat(32)}`;
    const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.${'b'.repeat(43)}`;
    expect(redact({ command: `curl -H "Authorization: Bearer ${jwt}" --key ${key} gwj_${'c'.repeat(32)}` })).toEqual({
      command: `curl -H "Authorization: ${REDACTED}" --key ${REDACTED} ${REDACTED}`,
    });
    expect(redact([key, jwt])).toEqual([REDACTED, REDACTED]);
    expect(redact({ [key]: 1 })).toEqual({ [REDACTED]: 1 });
    expect(redact('-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----')).toBe(REDACTED);
  });

  it('answers what JSON can hold', () => {
    const at = new Date(0);
    expect(redact({ at, size: 10n, bytes: Buffer.from('x'), none: null, password: null })).toEqual({
      at: at.toISOString(), size: '10', bytes: '[bytes]', none: null, password: null,
    });
  });
});
