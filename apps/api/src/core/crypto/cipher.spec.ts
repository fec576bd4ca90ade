import 'reflect-metadata';
import { loadConfig } from '../config/config';
import { Cipher } from './cipher';

const cipherOf = (secret: string, keys = ''): Cipher =>
  new Cipher(loadConfig({ DATABASE_URL: 'postgresql://localhost/x', REDIS_URL: 'redis://localhost', JWT_SECRET: secret, SECRETS_KEYS: keys }));
const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

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

  it('seals under the key with the highest number, and opens with each that it has', () => {
    const [two, both] = [cipherOf('a'.repeat(32), `2:${key(2)}`), cipherOf('a'.repeat(32), `10:${key(10)},2:${key(2)}`)];
    const sealedByTwo = two.seal('text', 'x');
    expect([sealed[0], sealedByTwo[0], both.seal('text', 'x')[0]]).toEqual([1, 2, 10]);
    expect([both.open(sealed, 'second-factor:kim'), both.open(sealedByTwo, 'x')]).toEqual(['비밀 secret', 'text']);
    expect([two.open(both.seal('text', 'x'), 'x'), cipher.open(sealedByTwo, 'x')]).toEqual([null, null]);
  });

  it.each([
    ['no key', '2', 'entry 1 is not'],
    ['a key that is too short', `2:${key(2)},3:${Buffer.alloc(31).toString('base64')}`, 'entry 2 is not'],
    ['the number of the key made of JWT_SECRET', `1:${key(2)}`, '1 is none'],
    ['a number that is too high', `256:${key(2)}`, '256 is none'],
    ['a number twice', `2:${key(2)},3:${key(3)},2:${key(4)}`, '2 is there twice'],
  ])('refuses %s, and does not repeat it', (_, keys, fault) => {
    expect(() => cipherOf('a'.repeat(32), keys)).toThrow(fault);
    expect(() => cipherOf('a'.repeat(32), keys)).not.toThrow(key(2).slice(0, 20));
  });
});
