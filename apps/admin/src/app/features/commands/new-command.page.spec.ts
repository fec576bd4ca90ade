import { HttpErrorResponse } from '@angular/common/http';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import type { FormGroup } from '@angular/forms';
import { provideRouter, Router } from '@angular/router';
import { Subject } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { I18n } from '../../core/i18n/i18n';
import { CommandsApi } from './commands-api';
import { NewCommandPage } from './new-command.page';

describe('the form of a new command', () => {
  const api = { create: jest.fn(), clients: jest.fn() };
  let fixture: ComponentFixture<NewCommandPage>;
  let page: HTMLElement;

  beforeEach(async () => {
    api.create.mockReset().mockResolvedValue({ id: 'c9' });
    api.clients.mockReset().mockResolvedValue({ items: [], nextCursor: null });
    TestBed.configureTestingModule({
      providers: [
        provideRouter([{ path: '**', children: [] }]),
        { provide: CommandsApi, useValue: api },
        { provide: EventStream, useValue: { news: () => new Subject() } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    // jsdom has no Web Crypto; the browser's is checked in the journey.
    Object.defineProperty(globalThis, 'crypto', { configurable: true, value: { getRandomValues: random } });
    fixture = TestBed.createComponent(NewCommandPage);
    page = fixture.nativeElement as HTMLElement;
    await fixture.whenStable();
  });

  function random(bytes: Uint8Array): Uint8Array {
    return bytes.map(() => Math.floor(Math.random() * 256));
  }

  async function send(values?: object): Promise<void> {
    const { form } = fixture.componentInstance as unknown as { form: FormGroup };
    if (values) form.patchValue(values);
    page.querySelector('form')?.dispatchEvent(new Event('submit'));
    await fixture.whenStable();
  }

  const GOOD = { clientId: ' till-1 ', action: 'noop', payload: '{"echo":1}', priority: 7 };

  it('sends what was filled in, and goes to the new command', async () => {
    await send(GOOD);
    const command = { clientId: 'till-1', action: 'noop', payload: { echo: 1 }, priority: 7 };
    expect(api.create).toHaveBeenCalledWith(command, expect.stringMatching(/^[0-9a-f]{32}$/));
    expect(TestBed.inject(Router).url).toBe('/commands/c9');
  });

  it.each([
    [{ clientId: '' }, 'Choose a client'],
    [{ action: '' }, 'Choose an action'],
    [{ payload: '[1]' }, 'This is not a JSON object'],
    [{ payload: '{oops' }, 'This is not a JSON object'],
    [{ priority: 11 }, 'A whole number from 0 to 10'],
    [{ priority: 1.5 }, 'A whole number from 0 to 10'],
  ])('asks to mend %j', async (fault, words) => {
    await send({ ...GOOD, ...fault });
    expect(page.textContent).toContain(words);
    expect(api.create).not.toHaveBeenCalled();
  });

  it('asks twice before an action that can do harm', async () => {
    await send({ ...GOOD, action: 'shell', payload: '{"program":"ls"}' });
    expect(page.textContent).toContain('Confirm that you want to send it');
    expect(api.create).not.toHaveBeenCalled();
    await send({ confirmed: true });
    expect(api.create).toHaveBeenCalledTimes(1);
  });

  it('repeats the same command under the same key, and another one under another', async () => {
    const away = new HttpErrorResponse({ status: 0 });
    api.create.mockRejectedValue(away);
    await send(GOOD);
    expect(page.querySelector('[role=alert]')?.textContent).toContain('The server cannot be reached');
    await send();
    await send({ priority: 8 });
    const keys = api.create.mock.calls.map(([, key]: [unknown, string]) => key);
    expect(keys[2]).not.toBe(keys[0]);
    expect(new Set(keys).size).toBe(2);
  });

  it('names the path of a fault that the server found', async () => {
    const error = {
      code: 'invalid_input',
      detail: 'x',
      errors: [{ path: 'payload.copies', message: 'must be integer' }],
      requestId: 'r-3',
    };
    api.create.mockRejectedValue(new HttpErrorResponse({ status: 400, error }));
    await send(GOOD);
    expect(page.querySelector('[role=alert]')?.textContent).toMatch(/payload\.copies.*must be integer.*r-3/s);
  });

  it('begins with the client and the action of the address', async () => {
    fixture.componentRef.setInput('client', 'till-1');
    fixture.componentRef.setInput('action', 'shell');
    await fixture.whenStable();
    const { form } = fixture.componentInstance as unknown as { form: FormGroup };
    expect(form.value).toMatchObject({ clientId: 'till-1', action: 'shell', confirmed: false });
    expect(page.textContent).toContain('This action can do harm');
  });

  it('says what to do when there is no client', () => {
    expect(page.textContent).toContain('There is no client yet');
  });
});
