import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { I18n } from '../core/i18n/i18n';
import { areSettled, TagField } from './tag-field';

describe('a field of tags', () => {
  let fixture: ComponentFixture<TagField>;
  let field: HTMLElement;
  const input = (): HTMLInputElement => field.querySelector('input') as HTMLInputElement;

  beforeEach(async () => {
    TestBed.inject(I18n).choose('en');
    fixture = TestBed.createComponent(TagField);
    fixture.componentRef.setInput('label', 'Labels');
    fixture.componentRef.setInput('tags', ['note=a, b']);
    fixture.componentRef.setInput('pattern', /^[^=]+=/);
    fixture.componentRef.setInput('wrong', 'Write name=value');
    field = fixture.nativeElement as HTMLElement;
    await fixture.whenStable();
  });

  async function type(text: string, end: Event): Promise<void> {
    input().value = text;
    input().dispatchEvent(new Event('input'));
    input().dispatchEvent(end);
    await fixture.whenStable();
  }

  const enter = (): Event => new KeyboardEvent('keydown', { key: 'Enter', keyCode: 13 });

  it('adds what was typed or pasted, each once, and leaves what was there as it is', async () => {
    await type('site=seoul', enter());
    await type(' floor=3, site=seoul,', new Event('blur'));
    expect(fixture.componentInstance.tags()).toEqual(['note=a, b', 'site=seoul', 'floor=3']);
    expect(input().value).toBe('');
  });

  it('lets a tag take the place of one with the same key', async () => {
    fixture.componentRef.setInput('keyOf', (tag: string) => tag.replace(/=.*/, ''));
    await type('site=seoul, note=c, site=busan', enter());
    expect(fixture.componentInstance.tags()).toEqual(['note=c', 'site=busan']);
  });

  it('keeps what is wrong in the field, and says which it is until it is mended', async () => {
    await type('floor=3, seoul', new Event('blur'));
    expect(field.querySelector('[role=alert]')?.textContent).toBe('Write name=value: seoul');
    expect(input().value).toBe('seoul');
    expect(input().getAttribute('aria-invalid')).toBe('true');
    expect(fixture.componentInstance.tags()).toEqual(['note=a, b', 'floor=3']);
    await type('site=seoul', new Event('blur'));
    expect(field.querySelector('[role=alert]')).toBeNull();
    expect(input().value).toBe('');
  });

  it('lets no form be sent without what is typed in it', () => {
    document.body.append(field);
    input().value = 'seoul';
    expect(areSettled([fixture.componentInstance])).toBe(false);
    expect(fixture.componentInstance.isWrong()).toBe(true);
    expect(document.activeElement).toBe(input());
    input().value = 'site=seoul';
    expect(areSettled([fixture.componentInstance])).toBe(true);
    expect(fixture.componentInstance.tags()).toEqual(['note=a, b', 'site=seoul']);
    field.remove();
  });

  it('does not grow under the pointer that is about to press a button', async () => {
    document.dispatchEvent(new Event('pointerdown'));
    await type('site=seoul', new Event('blur'));
    expect(fixture.componentInstance.tags()).toEqual(['note=a, b']);
    document.dispatchEvent(new Event('pointerup'));
    // Before the click that follows.
    expect(fixture.componentInstance.tags()).toEqual(['note=a, b', 'site=seoul']);
  });

  it('takes one away, and says what the server has against the list', async () => {
    field.querySelector<HTMLElement>('button[aria-label="Remove note=a, b"]')?.click();
    fixture.componentRef.setInput('fault', 'has too many');
    await fixture.whenStable();
    expect(fixture.componentInstance.tags()).toEqual([]);
    expect(field.querySelector('[role=alert]')?.textContent).toBe('has too many');
  });
});
