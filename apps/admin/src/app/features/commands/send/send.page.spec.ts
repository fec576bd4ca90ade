import { Dialog } from '@angular/cdk/dialog';
import { HttpErrorResponse } from '@angular/common/http';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import type { FormGroup } from '@angular/forms';
import { provideRouter, Router } from '@angular/router';
import { of, Subject } from 'rxjs';
import { EventStream } from '../../../core/events/event-stream';
import { I18n } from '../../../core/i18n/i18n';
import { CommandsApi } from '../commands-api';
import { SendPage } from './send.page';
import type { Choice } from './targets';

interface Inside {
  form: FormGroup;
  drawn(): { group: FormGroup } | null;
  chosen(choice: Choice): void;
}

describe('the form of a command', () => {
  const api = { create: jest.fn(), createBatch: jest.fn(), clients: jest.fn(), preview: jest.fn() };
  const dialog = { open: jest.fn() };
  let fixture: ComponentFixture<SendPage>;
  let page: HTMLElement;
  let inside: Inside;

  beforeEach(async () => {
    for (const call of Object.values(api)) call.mockReset();
    api.create.mockResolvedValue({ id: 'c9' });
    api.createBatch.mockResolvedValue({ batchId: 'b9', count: 12 });
    api.clients.mockResolvedValue({ items: [{ id: '1', name: 'till-1', status: 'online' }], nextCursor: null });
    api.preview.mockResolvedValue({
      count: 12,
      offline: 2,
      offlineClients: [
        { id: '2', name: 'till-2' },
        { id: '3', name: 'till-3' },
      ],
    });
    dialog.open.mockReset().mockReturnValue({ closed: of(true) });
    TestBed.configureTestingModule({
      providers: [
        provideRouter([{ path: '**', children: [] }]),
        { provide: CommandsApi, useValue: api },
        { provide: Dialog, useValue: dialog },
        { provide: EventStream, useValue: { news: () => new Subject() } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    // jsdom has no Web Crypto; the browser's is checked in the journey.
    Object.defineProperty(globalThis, 'crypto', { configurable: true, value: { getRandomValues: random } });
    fixture = TestBed.createComponent(SendPage);
    page = fixture.nativeElement as HTMLElement;
    inside = fixture.componentInstance as unknown as Inside;
    await fixture.whenStable();
  });

  function random(bytes: Uint8Array): Uint8Array {
    return bytes.map(() => Math.floor(Math.random() * 256));
  }

  async function fill(choice: Partial<Choice>, values: object, payload: object): Promise<void> {
    inside.chosen({ kind: 'clients', clients: [], groups: [], labels: [], ...choice });
    inside.form.patchValue(values);
    await fixture.whenStable();
    inside.drawn()?.group.patchValue(payload);
    await fixture.whenStable();
  }

  async function send(): Promise<void> {
    page.querySelector('form[aria-label]')?.dispatchEvent(new Event('submit'));
    await fixture.whenStable();
  }

  const GOOD = [{ clients: ['till-1'] }, { action: 'noop', priority: 7 }, { echo: '1' }] as const;

  it('sends a command to one machine, and goes to it', async () => {
    await fill(...GOOD);
    await send();
    const order = { clientId: 'till-1', action: 'noop', payload: { echo: 1 }, priority: 7, maxAttempts: 1 };
    expect(api.create).toHaveBeenCalledWith(order, expect.stringMatching(/^[0-9a-f]{32}$/));
    expect(TestBed.inject(Router).url).toBe('/commands/c9');
  });

  it('sends a batch to many, with its times, and goes to its progress', async () => {
    const at = '2030-01-02T03:04';
    await fill(
      { kind: 'labels', labels: ['floor=2', 'kind=till'] },
      { action: 'noop', notBefore: at, timeout: 60 },
      {},
    );
    await send();
    const targets = { labels: { floor: '2', kind: 'till' } };
    const times = { notBefore: new Date(at).toISOString(), timeoutMs: 60_000 };
    expect(api.createBatch).toHaveBeenCalledWith(
      { targets, action: 'noop', payload: {}, priority: 5, maxAttempts: 1, ...times },
      expect.any(String),
    );
    expect(TestBed.inject(Router).url).toBe('/commands?batch=b9');
  });

  it('says before it is sent how many machines are meant, and which are off', async () => {
    await fill({ kind: 'groups', groups: ['shop'] }, { action: 'print' }, {});
    await settled(() => expect(page.textContent).toContain('12 machines'));
    expect(api.preview).toHaveBeenLastCalledWith({ groups: ['shop'] }, 'print');
    expect(page.textContent).toMatch(/2 off.*till-2, till-3/s);
  });

  it.each([
    [{ clients: [] }, { action: 'noop' }, {}, 'Something is missing or wrong'],
    [{ clients: ['a'] }, { action: '' }, {}, 'Choose an action'],
    [{ clients: ['a'] }, { action: 'noop', priority: 11 }, {}, 'A whole number from 0 to 10'],
    [{ clients: ['a'] }, { action: 'noop' }, { delayMs: -1 }, 'At least 0'],
    [{ clients: ['a'] }, { action: 'shell' }, {}, 'This is needed'],
    [{ clients: ['a'] }, { action: 'print' }, {}, 'One of these is needed: File on the machine'],
  ])('asks to mend %j, %j, %j', async (choice, values, payload, words) => {
    await fill(choice, values, payload);
    await send();
    expect(page.textContent).toContain(words);
    expect(api.create).not.toHaveBeenCalled();
  });

  it('is not sent to machines without the label that is typed and wrong', async () => {
    await fill({ kind: 'labels', labels: ['floor=2'] }, { action: 'noop' }, {});
    const typed = page.querySelector('gw-tag-field input') as HTMLInputElement;
    typed.value = 'till';
    await send();
    expect(page.querySelector('gw-tag-field [role=alert]')?.textContent).toContain('till');
    expect(api.createBatch).not.toHaveBeenCalled();
    typed.value = 'kind=till';
    await send();
    const targets = { labels: { floor: '2', kind: 'till' } };
    expect(api.createBatch).toHaveBeenCalledWith(expect.objectContaining({ targets }), expect.any(String));
  });

  it('has the number of machines typed before an action that can do harm', async () => {
    await fill({ kind: 'all' }, { action: 'shell' }, { program: '/bin/true' });
    // Nobody has seen the number yet.
    await send();
    expect(dialog.open).not.toHaveBeenCalled();
    expect(page.textContent).toContain('is not known yet');
    await settled(() => expect(page.textContent).toContain('12 machines'));
    dialog.open.mockReturnValueOnce({ closed: of(false) });
    await send();
    expect(dialog.open).toHaveBeenLastCalledWith(
      expect.anything(),
      expect.objectContaining({ data: expect.objectContaining({ typed: '12' }) as unknown }),
    );
    expect(api.createBatch).not.toHaveBeenCalled();
    await send();
    expect(api.createBatch).toHaveBeenCalledTimes(1);
  });

  it('repeats the same command under the same key, another one under another, and keeps what was filled in', async () => {
    api.create.mockRejectedValue(new HttpErrorResponse({ status: 0 }));
    await fill(...GOOD);
    await send();
    expect(page.querySelector('[role=alert]')?.textContent).toContain('The server cannot be reached');
    expect(inside.drawn()?.group.value).toMatchObject({ echo: '1' });
    await send();
    await fill({ clients: ['till-1'] }, { priority: 8 }, {});
    await send();
    const keys = api.create.mock.calls.map(([, key]: [unknown, string]) => key);
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(2);
  });

  it('puts what the server refused at its field', async () => {
    const error = {
      code: 'invalid_input',
      detail: 'x',
      errors: [{ path: 'payload.delayMs', message: 'is not for you' }],
      requestId: 'r-3',
    };
    api.create.mockRejectedValue(new HttpErrorResponse({ status: 400, error }));
    await fill(...GOOD);
    await send();
    expect(page.querySelector('mat-error')?.textContent).toContain('is not for you');
    expect(page.textContent).toContain('r-3');
  });

  it('says nothing of a fault any more when something was changed, and can be sent', async () => {
    const errors = [
      { path: 'clientId', message: 'there is no such client' },
      { path: 'payload.echo', message: 'does not go with the delay' },
    ];
    api.create.mockRejectedValueOnce(new HttpErrorResponse({ status: 400, error: { code: 'invalid_input', errors } }));
    await fill(...GOOD);
    await send();
    expect(page.textContent).toContain('there is no such client');
    inside.chosen({ kind: 'clients', clients: ['till-1', 'till-2'], groups: [], labels: [] });
    await fixture.whenStable();
    expect(page.textContent).not.toContain('there is no such client');
    expect(page.querySelector('gw-problem-notice')).toBeNull();
    await send();
    expect(api.createBatch).toHaveBeenCalledTimes(1);
  });

  it('tells it in the language of the reader, at the field and at the machines', async () => {
    TestBed.inject(I18n).choose('ko');
    const errors = [
      { path: 'payload.delayMs', message: 'must be <= 5 (the limit of your grant)' },
      { path: 'clientId', message: 'there is no such client' },
    ];
    api.create.mockRejectedValue(new HttpErrorResponse({ status: 403, error: { code: 'not_granted', errors } }));
    await fill(...GOOD);
    await send();
    expect(page.querySelector('mat-error')?.textContent).toContain('5 이하여야 합니다');
    expect(page.querySelector('[aria-labelledby=machines] .fault')?.textContent).toBe('그런 클라이언트가 없습니다');
  });

  /** Waits for what takes as long as somebody types. */
  async function settled(check: () => void): Promise<void> {
    for (const end = Date.now() + 3_000; ;) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await fixture.whenStable();
      try {
        check();
        return;
      } catch (fault) {
        if (Date.now() > end) throw fault;
      }
    }
  }
});
