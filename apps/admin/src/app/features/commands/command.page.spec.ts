import { HttpErrorResponse } from '@angular/common/http';
import { signal } from '@angular/core';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { provideRouter } from '@angular/router';
import type { CommandState, Permission } from '@gwanje/contracts';
import { Subject } from 'rxjs';
import { EventStream, FETCH } from '../../core/events/event-stream';
import type { Command, User } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { CommandPage } from './command.page';
import { CommandsApi } from './commands-api';

const refusal = (status: number, code: string): HttpErrorResponse =>
  new HttpErrorResponse({ status, error: { status, code, detail: 'It is completed', requestId: 'r-9' } });

describe('the page of one command', () => {
  const user = signal<User | null>(null);
  const api = {
    get: jest.fn(),
    logs: jest.fn(),
    artifacts: jest.fn(),
    artifact: jest.fn(),
    cancel: jest.fn(),
    retry: jest.fn(),
    clients: jest.fn(),
    client: jest.fn(),
  };
  let news: Subject<{ id: string }>;
  let fixture: ComponentFixture<CommandPage>;
  let page: HTMLElement;

  beforeEach(() => {
    Object.values(api).forEach((call) => call.mockReset());
    may('commands.cancel', 'commands.retry');
    is('running');
    api.logs.mockResolvedValue([{ eventType: 'created', attempt: 1, createdAt: '2026-03-05T12:00:00Z', data: null }]);
    api.artifacts.mockResolvedValue([]);
    api.clients.mockResolvedValue({ items: [{ id: 'client-1', name: 'till-1', status: 'online' }], nextCursor: null });
    news = new Subject();
    const events = {
      connection: signal({ state: 'live' }),
      opened: new Subject(),
      news: (type: string) => (type === 'command' ? news : new Subject()),
      reconnect: jest.fn(),
    };
    TestBed.configureTestingModule({
      providers: [
        provideRouter([]),
        { provide: CommandsApi, useValue: api },
        { provide: EventStream, useValue: events },
        { provide: Session, useValue: { user } },
        // There is nothing left to stream.
        { provide: FETCH, useValue: () => Promise.resolve({ status: 204 }) },
      ],
    });
    TestBed.inject(I18n).choose('en');
  });

  function may(...permissions: Permission[]): void {
    user.set({ id: 'u', email: '', name: '', roles: [], permissions });
  }

  function is(status: CommandState, change: Partial<Command> = {}): void {
    const command: Partial<Command> = {
      id: 'c1',
      clientId: 'client-1',
      action: 'print',
      payload: { filePath: '/a <b>.pdf' },
      priority: 10,
      status,
      attempt: 1,
      maxAttempts: 3,
      result: null,
      errorMessage: null,
      createdAt: '2026-03-05T12:00:00Z',
      startedAt: null,
      completedAt: null,
      ...change,
    };
    api.get.mockResolvedValue(command);
  }

  async function open(): Promise<void> {
    fixture = TestBed.createComponent(CommandPage);
    fixture.componentRef.setInput('id', 'c1');
    page = fixture.nativeElement as HTMLElement;
    await shows('dt');
  }

  async function shows(selector: string, words = ''): Promise<HTMLElement> {
    for (const end = Date.now() + 4_000; ;) {
      await fixture.whenStable();
      const found = [...page.querySelectorAll<HTMLElement>(selector)].find((element) =>
        element.textContent?.includes(words),
      );
      if (found) return found;
      if (Date.now() > end) throw new Error(`no ${selector} with "${words}" in: ${page.textContent ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const buttons = (): string[] =>
    [...page.querySelectorAll('button')].map((button) => button.textContent?.trim() ?? '');

  it('shows what was asked and what is still to come, as text', async () => {
    await open();
    await shows('h1', 'print · till-1');
    await shows('pre', '"filePath": "/a <b>.pdf"');
    await shows('dd', '(Emergency)');
    await shows('dd', '1 of 3');
    await shows('section', 'No result yet');
    await shows('section', 'The command has printed nothing');
    expect(page.querySelector('li')?.textContent).not.toContain('Attempt');
    expect(buttons()).toEqual(['Cancel the command']);
  });

  it('reads again at news of this command only', async () => {
    await open();
    is('failed', {
      attempt: 2,
      errorMessage: 'paper jam',
      result: { success: false, data: { tray: 2 }, durationMs: 61_000 },
    });
    api.artifacts.mockResolvedValue([{ id: 'f1', name: '<b>log</b>.txt', contentType: 'text/html', size: 4_200 }]);
    news.next({ id: 'other' });
    news.next({ id: 'c1' });
    await shows('.error', 'paper jam');
    await shows('figcaption', '<b>log</b>.txt');
    await shows('figcaption', '4.2 kB');
    // Whatever a machine calls it, only pictures are shown.
    expect(api.artifact).not.toHaveBeenCalled();
    await shows('dd', '1 min 1 sec');
    await shows('li', 'Attempt 1');
    expect(api.get).toHaveBeenCalledTimes(2);
    expect(buttons()).toEqual(['Run again', 'Download']);
  });

  it('explains a state that does not speak for itself', async () => {
    is('indeterminate', { errorMessage: 'the agent stopped' });
    await open();
    await shows('.explained', 'it may or may not have happened');
  });

  it('says that there is no result where the machine reported none', async () => {
    is('failed', { errorMessage: 'paper jam', result: { success: false, data: null, durationMs: 10 } });
    await open();
    await shows('section[aria-labelledby=result]', 'The command ended without a result');
    expect(page.querySelector('pre[aria-labelledby=result]')).toBeNull();
  });

  it('shows a picture as a picture', async () => {
    is('completed');
    Object.assign(URL, { createObjectURL: () => 'blob:picture', revokeObjectURL: () => undefined });
    api.artifacts.mockResolvedValue([{ id: 'f1', name: 'screen.png', contentType: 'image/png', size: 10 }]);
    api.artifact.mockResolvedValue(new Blob(['x']));
    await open();
    const picture = (await shows('figure a')).querySelector('img');
    expect([picture?.getAttribute('src'), picture?.alt]).toEqual(['blob:picture', 'Picture screen.png']);
    expect(api.artifact).toHaveBeenCalledWith('c1', 'f1');
  });

  it('offers only what the state and the person’s rights allow', async () => {
    may('commands.read');
    await open();
    expect(buttons()).toEqual([]);
    may('commands.cancel', 'commands.retry');
    is('completed');
    news.next({ id: 'c1' });
    await shows('gw-state-chip', 'Completed');
    expect(buttons()).toEqual([]);
  });

  it('cancels, and tells when it came too late', async () => {
    await open();
    api.cancel.mockRejectedValue(refusal(409, 'illegal_move'));
    (await shows('button', 'Cancel the command')).click();
    expect((await shows('[role=alert]')).textContent).toMatch(/It is completed.*r-9/s);
    expect(api.cancel).toHaveBeenCalledWith('c1');
  });

  it('says what to do when there is no such command', async () => {
    api.get.mockRejectedValue(refusal(404, 'not_found'));
    fixture = TestBed.createComponent(CommandPage);
    fixture.componentRef.setInput('id', 'gone');
    page = fixture.nativeElement as HTMLElement;
    await shows('h2', 'There is no such command');
    expect(page.querySelector('gw-empty-state a')?.getAttribute('href')).toBe('/commands');
  });
});
