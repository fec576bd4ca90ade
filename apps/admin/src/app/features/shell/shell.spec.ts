import { provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { signal } from '@angular/core';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { provideRouter, Router } from '@angular/router';
import type { Permission } from '@gwanje/contracts';
import { Subject } from 'rxjs';
import { type Connection, EventStream } from '../../core/events/event-stream';
import type { Me } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { NewVersion } from '../../core/new-version';
import { Session } from '../../core/session/session';
import { Shell } from './shell';

describe('the shell', () => {
  const user = signal<Me | null>(null);
  const connection = signal<Connection>({ state: 'live' });
  let fixture: ComponentFixture<Shell>;
  let server: HttpTestingController;
  let router: Router;

  beforeEach(async () => {
    connection.set({ state: 'live' });
    may('commands.read', 'commands.create', 'clients.read');
    TestBed.configureTestingModule({
      providers: [
        provideHttpClient(),
        provideHttpClientTesting(),
        provideRouter([{ path: '**', children: [] }]),
        { provide: EventStream, useValue: { connection, opened: new Subject<void>() } },
        { provide: Session, useValue: { user, logOut: jest.fn(), readAgain: jest.fn() } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    server = TestBed.inject(HttpTestingController);
    router = TestBed.inject(Router);
    fixture = TestBed.createComponent(Shell);
    document.body.append(fixture.nativeElement as HTMLElement);
    await fixture.whenStable();
  });
  afterEach(() => {
    (fixture.nativeElement as HTMLElement).remove();
    server.verify();
  });

  function may(...permissions: Permission[]): void {
    const secondFactor = { enabled: false, required: false, satisfied: true };
    user.set({ id: 'u', email: 'a@b.c', name: 'Kim', roles: [], permissions, secondFactor });
  }

  const press = (key: string, init: KeyboardEventInit = {}, target: EventTarget = document.body): void => {
    target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }));
  };

  async function until<T>(found: () => T | null | undefined | false): Promise<T> {
    for (const end = Date.now() + 4_000; ;) {
      await fixture.whenStable();
      TestBed.tick();
      const value = found();
      if (value) return value;
      if (Date.now() > end) throw new Error(`it did not happen; the page says: ${document.body.textContent ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const dialog = (): HTMLElement | null => document.querySelector('[role=dialog]');
  const options = (): string[] =>
    [...(dialog()?.querySelectorAll('[role=option]') ?? [])].map((option) => option.textContent?.trim() ?? '');
  const chosen = (): string | undefined => dialog()?.querySelector('[aria-selected=true]')?.textContent?.trim();

  async function openPalette(): Promise<HTMLInputElement> {
    press('k', { ctrlKey: true });
    return until(() => dialog()?.querySelector<HTMLInputElement>('[role=combobox]'));
  }

  async function type(field: HTMLInputElement, words: string): Promise<void> {
    field.value = words;
    field.dispatchEvent(new Event('input'));
    await fixture.whenStable();
  }

  it('shows the pages that the person may see, and follows when that changes', async () => {
    const links = (): (string | null)[] =>
      [...document.querySelectorAll('nav a')].map((link) => link.getAttribute('href'));
    expect(links()).toEqual(['/overview', '/clients', '/commands']);
    may('clients.read');
    await fixture.whenStable();
    expect(links()).toEqual(['/clients']);
  });

  it('goes to a page by its letters, also on a Korean keyboard, and to none that the person may not see', async () => {
    press('g');
    press('c');
    await until(() => router.url === '/commands');
    press('ㅎ', { code: 'KeyG' });
    press('ㅡ', { code: 'KeyM' });
    await until(() => router.url === '/clients');
    may('clients.read');
    press('g');
    press('c');
    await fixture.whenStable();
    expect(router.url).toBe('/clients');
  });

  it('leaves the keys alone while somebody types', async () => {
    const field = document.createElement('input');
    document.body.append(field);
    press('g', {}, field);
    press('c', {}, field);
    press('?', {}, field);
    press('/', {}, field);
    await fixture.whenStable();
    expect(router.url).toBe('/');
    expect(dialog()).toBeNull();
    field.remove();
  });

  it('brings the keyboard to the search of the page, or to the palette where there is none', async () => {
    const main = document.querySelector('main');
    main?.insertAdjacentHTML('beforeend', '<form role="search"><input id="page-search"></form>');
    press('/');
    expect(document.activeElement?.id).toBe('page-search');
    main?.querySelector('form')?.remove();
    press('/');
    await until(dialog);
  });

  it('lists the shortcuts of the pages that the person sees', async () => {
    may('clients.read');
    press('?');
    const list = await until(() => dialog()?.querySelector('dl'));
    expect(list.textContent).toMatch(/Search on this page.*Go to Clients/s);
    expect(list.textContent).not.toContain('Go to Commands');
    press('g');
    press('m');
    await fixture.whenStable();
    expect(router.url).toBe('/');
  });

  it('has a palette that is worked with the arrows, and leads where Enter is pressed', async () => {
    const field = await openPalette();
    expect(options()).toEqual(['Overview', 'Clients', 'Commands', 'Profile', 'Send a command']);
    expect(field.getAttribute('aria-activedescendant')).toBe(dialog()?.querySelector('[aria-selected=true]')?.id);
    press('ArrowDown', {}, field);
    await fixture.whenStable();
    expect(chosen()).toBe('Clients');
    press('ArrowUp', {}, field);
    press('ArrowUp', {}, field);
    await fixture.whenStable();
    expect(chosen()).toBe('Send a command');
    press('Enter', {}, field);
    await until(() => router.url === '/commands/new');
    await until(() => dialog() === null);
  });

  it('finds clients by a part of their name, and says how many there are', async () => {
    const field = await openPalette();
    await type(field, 'till');
    const calls = await until(() => {
      const found = server.match(({ url }) => url === '/api/clients');
      return found.length > 0 && found;
    });
    expect(calls.map(({ request }) => request.params.toString())).toEqual(['q=till&limit=8']);
    calls[0]?.flush({ items: [{ id: 'c1', name: 'till-1' }], nextCursor: null });
    await until(() => options().includes('till-1'));
    expect(dialog()?.querySelector('[role=status]')?.textContent).toContain('1 found');
    press('Enter', {}, field);
    await until(() => router.url === '/clients/c1');
  });

  it('says that nothing is found, and asks for no clients where they may not be read', async () => {
    may('commands.read');
    const field = await openPalette();
    await type(field, 'xyzzy');
    await until(() => dialog()?.querySelector('[role=status]')?.textContent?.includes('Nothing found'));
    expect(options()).toEqual([]);
  });

  it('stays where it is and says why when a page cannot be loaded, until another one is asked for', async () => {
    void TestBed.inject(NewVersion).load(new TypeError('Failed to fetch dynamically imported module'), '/audit');
    server.expectOne('/').error(new ProgressEvent('error'));
    const notice = await until(() => document.querySelector('main [role=alert]'));
    expect(notice.textContent).toContain('The server cannot be reached');
    await router.navigateByUrl('/clients');
    await until(() => document.querySelector('main [role=alert]') === null);
  });

  it('counts how long nothing was heard of the server, without reading every second out', async () => {
    jest.useFakeTimers();
    try {
      connection.set({ state: 'stale', since: Date.now() - 12_000 });
      TestBed.tick();
      const badge = document.querySelector('gw-live-badge [role=status]');
      const seen = (): string | undefined => badge?.querySelector('[aria-hidden=true]:not(i)')?.textContent?.trim();
      expect(seen()).toBe('Stale since 12 sec');
      expect(badge?.querySelector('.gw-unseen')?.textContent).toBe('Stale: what is shown may be old');
      jest.advanceTimersByTime(3_000);
      TestBed.tick();
      expect(seen()).toBe('Stale since 15 sec');
    } finally {
      jest.useRealTimers();
    }
  });
});
