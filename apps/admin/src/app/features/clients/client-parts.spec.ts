import { Dialog } from '@angular/cdk/dialog';
import { HttpErrorResponse } from '@angular/common/http';
import type { Type } from '@angular/core';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { provideRouter, Router } from '@angular/router';
import { Subject } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import type { Client, News } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { ClientCommands } from './client-commands';
import { ClientKeys } from './client-keys';
import { ClientRemoval } from './client-removal';
import { ClientRights } from './client-rights';
import { ClientSettingsForm } from './client-settings';
import { ClientsApi } from './clients-api';

const CLIENT: Client = {
  id: 'c1',
  name: 'till-1',
  status: 'online',
  lastSeenAt: null,
  agent: null,
  groups: ['tills', 'a, b'],
  labels: { site: 'seoul' },
  concurrency: 4,
  createdAt: '2026-03-05T12:00:00Z',
};
const refusal = (path: string, message: string): HttpErrorResponse =>
  new HttpErrorResponse({
    status: 400,
    error: { code: 'invalid_input', detail: 'x', errors: [{ path, message }], requestId: 'r-9' },
  });

describe('the parts of a client’s page', () => {
  const api = {
    update: jest.fn(),
    keys: jest.fn(),
    rotateKey: jest.fn(),
    revokeKey: jest.fn(),
    remove: jest.fn(),
    rights: jest.fn(),
    queue: jest.fn(),
    history: jest.fn(),
  };
  let news: Subject<Partial<News['command']>>;
  let part: HTMLElement;
  let fixture: ComponentFixture<unknown>;

  beforeEach(() => {
    Object.values(api).forEach((call) => call.mockReset().mockResolvedValue({ items: [] }));
    news = new Subject();
    TestBed.configureTestingModule({
      providers: [
        provideRouter([{ path: '**', children: [] }]),
        { provide: ClientsApi, useValue: api },
        { provide: EventStream, useValue: { opened: new Subject(), news: () => news } },
      ],
    });
    TestBed.inject(I18n).choose('en');
  });
  afterEach(() => TestBed.inject(Dialog).closeAll());

  async function open(component: Type<unknown>, inputs: Record<string, unknown> = { client: CLIENT }): Promise<void> {
    fixture = TestBed.createComponent(component);
    Object.entries(inputs).forEach(([name, value]) => fixture.componentRef.setInput(name, value));
    part = fixture.nativeElement as HTMLElement;
    await fixture.whenStable();
  }

  async function shows(selector: string, words = '', root: ParentNode = part): Promise<HTMLElement> {
    for (const end = Date.now() + 4_000; ;) {
      await fixture.whenStable();
      TestBed.tick();
      const all = [...root.querySelectorAll<HTMLElement>(selector)];
      const found = all.find((element) => element.textContent?.includes(words));
      if (found) return found;
      if (Date.now() > end) throw new Error(`no ${selector} with "${words}" in: ${document.body.textContent ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const press = async (words: string, root?: ParentNode): Promise<void> => (await shows('button', words, root)).click();

  async function type(selector: string, value: string, root: ParentNode = part): Promise<void> {
    const field = (await shows(selector, '', root)) as HTMLInputElement;
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    await fixture.whenStable();
  }

  async function submit(): Promise<void> {
    part.querySelector('form')?.dispatchEvent(new Event('submit'));
    await fixture.whenStable();
  }

  describe('settings', () => {
    it('send what was changed, and nothing else', async () => {
      await open(ClientSettingsForm);
      await type('input[formControlName=concurrency]', '7');
      api.update.mockResolvedValue({ ...CLIENT, concurrency: 7 });
      await submit();
      expect(api.update).toHaveBeenLastCalledWith('c1', { concurrency: 7 });
      await shows('[role=status]', 'Saved');

      await press(
        '',
        await shows('button[aria-label="Remove tills"]').then((button) => button.parentElement as HTMLElement),
      );
      await type('gw-tag-field:last-of-type input', 'floor=3');
      (await shows('gw-tag-field:last-of-type input')).dispatchEvent(new Event('blur'));
      await submit();
      // A name with a comma in it stays whole.
      expect(api.update).toHaveBeenLastCalledWith('c1', { groups: ['a, b'], labels: { site: 'seoul', floor: '3' } });
    });

    it('keep what was typed when the server refuses it, and say why at the field', async () => {
      await open(ClientSettingsForm);
      api.update.mockRejectedValue(refusal('name', 'is not free'));
      await type('input[formControlName=name]', 'till-2');
      await submit();
      await shows('mat-error', 'is not free');
      api.update.mockRejectedValue(refusal('groups[0]', 'is too long'));
      await type('input[formControlName=name]', 'till-3');
      await submit();
      await shows('gw-tag-field [role=alert]', 'is too long');
      expect(part.querySelector<HTMLInputElement>('input[formControlName=name]')?.value).toBe('till-3');
    });

    it('do not say that they are saved any more once something is changed or a save is refused', async () => {
      await open(ClientSettingsForm);
      const said = (): string | undefined => part.querySelector('[role=status]')?.textContent?.trim();
      api.update.mockResolvedValue(CLIENT);
      await submit();
      await shows('[role=status]', 'Saved');
      api.update.mockRejectedValue(refusal('name', 'is not free'));
      await submit();
      await shows('gw-problem-notice');
      expect(said()).toBe('');

      api.update.mockResolvedValue(CLIENT);
      await submit();
      await shows('[role=status]', 'Saved');
      await type('input[formControlName=name]', 'till-2');
      expect(said()).toBe('');
      api.update.mockResolvedValue({ ...CLIENT, name: 'till-2' });
      await submit();
      await shows('[role=status]', 'Saved');
      const remove = await shows('button[aria-label="Remove tills"]');
      await press('', remove.parentElement as HTMLElement);
      await fixture.whenStable();
      expect(said()).toBe('');
    });

    it('show one value for a label, the last that was typed', async () => {
      await open(ClientSettingsForm);
      await type('gw-tag-field:last-of-type input', 'site=busan');
      (await shows('gw-tag-field:last-of-type input')).dispatchEvent(new Event('blur'));
      await shows('button[aria-label="Remove site=busan"]');
      api.update.mockResolvedValue(CLIENT);
      expect(part.querySelector('button[aria-label="Remove site=seoul"]')).toBeNull();
      await submit();
      expect(api.update).toHaveBeenLastCalledWith('c1', { labels: { site: 'busan' } });
    });

    it('are not sent while a label that is typed is wrong', async () => {
      await open(ClientSettingsForm);
      await type('gw-tag-field:last-of-type input', 'seoul');
      await submit();
      await shows('gw-tag-field:last-of-type [role=alert]', 'seoul');
      expect(api.update).not.toHaveBeenCalled();
    });

    it('are not taken away by news while somebody types', async () => {
      await open(ClientSettingsForm);
      const name = part.querySelector<HTMLInputElement>('input[formControlName=name]');
      fixture.componentRef.setInput('client', { ...CLIENT, name: 'till-9' });
      await fixture.whenStable();
      expect(name?.value).toBe('till-9');
      await type('input[formControlName=name]', 'till-10');
      fixture.componentRef.setInput('client', { ...CLIENT, name: 'till-11' });
      await fixture.whenStable();
      expect(name?.value).toBe('till-10');
    });

    it.each([
      ['name', '', 'Give it a name'],
      ['name', 'two words', 'Letters, digits'],
      ['concurrency', '0', 'from 1 to 1000'],
      ['concurrency', '1.5', 'from 1 to 1000'],
    ])('ask to mend %s "%s"', async (field, value, words) => {
      await open(ClientSettingsForm);
      await type(`input[formControlName=${field}]`, value);
      await submit();
      await shows('mat-error', words);
      expect(api.update).not.toHaveBeenCalled();
    });
  });

  describe('keys', () => {
    const keys = [
      { id: 'k2', createdAt: '2026-03-06T12:00:00Z', validUntil: null },
      { id: 'k1', createdAt: '2026-03-05T12:00:00Z', validUntil: '2026-03-07T12:00:00Z' },
    ];

    it('are listed; a new one is shown once', async () => {
      api.keys.mockResolvedValue({ items: keys });
      api.rotateKey.mockResolvedValue({ id: 'c1', name: 'till-1', clientKey: 'sk_till1_abc' });
      await open(ClientKeys);
      await shows('li', 'In use');
      await shows('li', 'Valid until');
      await press('Make a new key');
      await shows('code', 'sk_till1_abc');
      await shows('gw-copy-text', 'shown once only');
      expect(api.rotateKey).toHaveBeenCalledWith('c1', 86_400);
      fixture.componentRef.setInput('client', { ...CLIENT, id: 'c2' });
      await fixture.whenStable();
      expect(part.querySelector('code')).toBeNull();
    });

    it('are revoked only when it is confirmed', async () => {
      api.keys.mockResolvedValue({ items: keys });
      await open(ClientKeys);
      (await shows('button[aria-label^="Revoke the key made Mar 5"]')).click();
      await press('Cancel', document);
      await fixture.whenStable();
      expect(api.revokeKey).not.toHaveBeenCalled();
      (await shows('button[aria-label^="Revoke the key made Mar 5"]')).click();
      await press('Revoke', await shows('[role=alertdialog]', '', document));
      await shows('[role=status]', 'The key is revoked');
      expect(api.revokeKey.mock.calls).toEqual([['c1', 'k1']]);
    });

    it('all end when the client is locked out, for which its name is typed', async () => {
      api.keys.mockResolvedValue({ items: keys });
      await open(ClientKeys);
      await press('Lock it out');
      const dialog = await shows('[role=alertdialog]', '', document);
      await press('Lock it out', dialog);
      await type('input', 'till-2', dialog);
      await press('Lock it out', dialog);
      expect(api.revokeKey).not.toHaveBeenCalled();
      await type('input', 'till-1', dialog);
      await press('Lock it out', dialog);
      await shows('[role=status]', 'All its keys are revoked');
      expect(api.revokeKey.mock.calls).toEqual([
        ['c1', 'k2'],
        ['c1', 'k1'],
      ]);
    });
  });

  it('removes the client when its name is typed, and tells when it may not', async () => {
    await open(ClientRemoval);
    api.remove.mockRejectedValueOnce(
      new HttpErrorResponse({ status: 403, error: { code: 'forbidden', requestId: 'r-1' } }),
    );
    for (const outcome of ['refused', 'done']) {
      await press('Remove');
      const dialog = await shows('[role=alertdialog]', '', document);
      await type('input', 'till-1', dialog);
      await press('Remove', dialog);
      if (outcome === 'refused') await shows('[role=alert]', 'You may not do this');
    }
    for (const end = Date.now() + 4_000; TestBed.inject(Router).url !== '/clients' && Date.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(TestBed.inject(Router).url).toBe('/clients');
    expect(api.remove.mock.calls).toEqual([['c1'], ['c1']]);
  });

  it('tells who may do what, within which limits', async () => {
    const items = [
      {
        id: 'g1',
        role: 'operator',
        group: 'tills',
        actions: ['print'],
        limits: { print: { copies: { maximum: 10 } } },
      },
      { id: 'g2', user: 'kim@example.com', actions: ['*'], limits: {} },
    ];
    api.rights.mockResolvedValue({ items });
    await open(ClientRights, { clientId: 'c1', groups: 'tills' });
    const rows = (await shows('ul')).querySelectorAll('li');
    expect(rows[0]?.textContent).toMatch(/Role operator.*Group tills.*print.*print\.copies \{"maximum":10\}/s);
    expect(rows[1]?.textContent).toMatch(/kim@example\.com.*This client.*Every action/s);
  });

  it('shows the queue and the history, and reads them again at news of this client only', async () => {
    const command = { id: 'x1', action: 'print', status: 'pending', priority: 10, createdAt: '2026-03-05T12:00:00Z' };
    api.queue.mockResolvedValue({ items: [command] });
    await open(ClientCommands, { clientId: 'c1' });
    await shows('section', 'Emergency');
    await shows('section', 'No command has been sent to it yet');
    api.queue.mockResolvedValue({ items: [] });
    api.history.mockResolvedValue({ items: [{ ...command, status: 'completed' }] });
    news.next({ clientId: 'other' });
    news.next({ clientId: 'c1' });
    news.next({ clientId: 'c1' });
    await shows('section', 'Nothing waits and nothing runs');
    expect((await shows('li a', 'print')).getAttribute('href')).toBe('/commands/x1');
    expect(api.queue).toHaveBeenCalledTimes(2);
  });
});
