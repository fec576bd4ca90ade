import { TestBed } from '@angular/core/testing';
import { QrPicture } from './qr-picture';

describe('a QR code', () => {
  it('has its three corners, white around them, and another pattern for another text', async () => {
    const fixture = TestBed.createComponent(QrPicture);
    fixture.componentRef.setInput('text', 'otpauth://totp/Gwanje:kim@example.com?secret=ABC');
    fixture.componentRef.setInput('label', 'QR code');
    await fixture.whenStable();
    const svg = (fixture.nativeElement as HTMLElement).querySelector('svg');
    const dots = (): Set<string> =>
      new Set(
        [...(svg?.querySelector('path')?.getAttribute('d') ?? '').matchAll(/M(\d+) (\d+)/g)].map(
          ([, x, y]) => `${x},${y}`,
        ),
      );
    const size = Number(svg?.getAttribute('viewBox')?.split(' ')[2]);
    expect(svg?.getAttribute('aria-label')).toBe('QR code');
    const first = dots();
    for (const [left, top] of [
      [4, 4],
      [size - 11, 4],
      [4, size - 11],
    ] as const) {
      for (let at = 0; at < 7; at++) {
        const edge = [
          `${left + at},${top}`,
          `${left},${top + at}`,
          `${left + 6},${top + at}`,
          `${left + at},${top + 6}`,
        ];
        expect(edge.filter((dot) => !first.has(dot))).toEqual([]);
      }
      expect(first.has(`${left + 1},${top + 1}`)).toBe(false);
      expect(first.has(`${left + 3},${top + 3}`)).toBe(true);
    }
    for (let at = 0; at < size; at++)
      for (let edge = 0; edge < 4; edge++) expect(first.has(`${at},${edge}`)).toBe(false);
    fixture.componentRef.setInput('text', 'otpauth://totp/Gwanje:lee@example.com?secret=DEF');
    await fixture.whenStable();
    expect(dots()).not.toEqual(first);
  });
});
