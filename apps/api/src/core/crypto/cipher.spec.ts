import 'reflect-metadata';
import { loadConfig } from '../config/config';
import { Cipher } from './cipher';

const cipherOf = (secret: string): Cipher =>
  new Cipher(loadConfig({ DATABASE_URL: 'postgresql://localhost/x', REDIS_URL: 'redis://localhost', JWT_SECRET: secret }));

describe('Cipher', () => {
  const cipher = cipherOf('a'.repeat(32));
  const sealed = cipher.seal('비밀 secret', 'second-factor:kim');

  it('opens what it sealed, and never seals the same text alike', () => {
    expect(cipher.open(sealed, 'second-factor:kim')).toBe('비밀 secret');
    expect(cipher.seal('비밀 secret', 'second-factor:kim')).not.toEqual(sealed);
    expect(sealed.includes('secret')).toBe(false);
  });

  it('does not open it in another context, under another key, or changed in any byte', () => {
    expect(cipher.open(sealed, 'second-factor:lee')).toBeNull();
    expect(cipherOf('b'.repeat(32)).open(sealed, 'second-factor:kim')).toBeNull();
    for (const [index, byte] of sealed.entries()) {
      const changed = Buffer.from(sealed);
      changed[index] = byte ^ 1;
      expect(cipher.open(changed, 'second-factor:kim')).toBeNull();
    }
    for (const length of [0, 1, 28, sealed.length - 1]) expect(cipher.open(sealed.subarray(0, length), 'second-factor:kim')).toBeNull();
  });
});
