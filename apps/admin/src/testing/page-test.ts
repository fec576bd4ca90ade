import { Dialog } from '@angular/cdk/dialog';
import { provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting, type TestRequest } from '@angular/common/http/testing';
import { signal, type Type } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { provideRouter, withComponentInputBinding } from '@angular/router';
import { RouterTestingHarness } from '@angular/router/testing';
import type { Permission } from '@gwanje/contracts';
import { of, Subject } from 'rxjs';
import { type Connection, EventStream } from '../app/core/events/event-stream';
import type { Me, News } from '../app/core/http/wire';
import { I18n } from '../app/core/i18n/i18n';
import { Session } from '../app/core/session/session';

export const ME: Me = {
  id: 'me',
  email: 'me@example.com',
  name: 'Me',
  roles: ['admin'],
  permissions: [],
  secondFactor: { enabled: false, required: false, satisfied: true },
};

/** A page in jsdom, with somebody logged in, a server that answers what the test says, and every question answered with yes. */
export class PageTest {
  readonly user = signal<Me | null>(ME);
  readonly session = { user: this.user, token: 't', refresh: jest.fn().mockResolvedValue('t') };
  readonly news = new Subject<News[keyof News]>();
  readonly opened = new Subject<void>();
  readonly connection = signal<Connection>({ state: 'live' });
  /** What the person says when they are asked first. */
  says = true;
  element!: HTMLElement;

  /** Before the test: the page stands at `path`, as in the routes. */
  constructor(path: string, page: Type<unknown>) {
    TestBed.configureTestingModule({
      providers: [
        provideHttpClient(),
        provideHttpClientTesting(),
        provideRouter(
          [
            { path, component: page },
            { path: '**', children: [] },
          ],
          withComponentInputBinding(),
        ),
        { provide: Session, useValue: this.session },
        { provide: Dialog, useValue: { open: () => ({ closed: of(this.says) }) } },
        {
          provide: EventStream,
          useValue: { news: () => this.news, opened: this.opened, connection: this.connection, reconnect: jest.fn() },
        },
      ],
    });
    TestBed.inject(I18n).choose('en');
  }

  get text(): string {
    return (this.element.textContent ?? '').replace(/\s+/g, ' ');
  }

  may(...permissions: Permission[]): this {
    this.user.update((user) => user && { ...user, permissions });
    return this;
  }

  async visit(address: string): Promise<void> {
    const harness = await RouterTestingHarness.create(address);
    this.element = harness.fixture.nativeElement as HTMLElement;
  }

  /** The one call that the page makes to this address, `GET` unless it is said otherwise. */
  async call(url: string, method = 'GET'): Promise<TestRequest> {
    let found: TestRequest[] = [];
    const matches = (request: { url: string; method: string }): boolean =>
      request.url === url && request.method === method;
    await this.until(() => (found = TestBed.inject(HttpTestingController).match(matches)).length === 1);
    return found[0] as TestRequest;
  }

  async answer(url: string, body: object | null, method = 'GET'): Promise<TestRequest> {
    const call = await this.call(url, method);
    call.flush(body);
    await this.settle();
    return call;
  }

  async refuse(
    url: string,
    method: string,
    problem: { status: number; code: string; detail?: string; errors?: object[] },
  ): Promise<void> {
    (await this.call(url, method)).flush({ requestId: 'r-1', ...problem }, { status: problem.status, statusText: 'x' });
    await this.settle();
  }

  /** No call was left unanswered. */
  verify(): void {
    TestBed.inject(HttpTestingController).verify();
  }

  async until(condition: () => boolean): Promise<void> {
    for (const end = Date.now() + 4_000; ;) {
      await this.settle();
      if (condition()) return;
      if (Date.now() > end) throw new Error(`it did not happen; the page says: ${this.text}`);
    }
  }

  button(words: string): HTMLElement {
    const buttons = [...this.element.querySelectorAll<HTMLElement>('button, a')];
    const found = buttons.find((one) => [one.textContent?.trim(), one.getAttribute('aria-label')].includes(words));
    if (!found) throw new Error(`there is no button "${words}" on: ${this.text}`);
    return found;
  }

  has(words: string): boolean {
    return [...this.element.querySelectorAll('button, a')].some((one) => one.textContent?.trim() === words);
  }

  async click(words: string): Promise<void> {
    this.button(words).click();
    await this.settle();
  }

  async type(selector: string, value: string): Promise<void> {
    const field = this.element.querySelector<HTMLInputElement>(selector);
    if (!field) throw new Error(`there is no field ${selector}`);
    field.value = value;
    field.dispatchEvent(new Event('input'));
    field.dispatchEvent(new Event('change'));
    await this.settle();
  }

  /** Opens a list of choices, and takes the one of these words. */
  async choose(selector: string, words: string): Promise<void> {
    this.element.querySelector<HTMLElement>(`${selector} .mat-mdc-select-trigger`)?.click();
    await this.settle();
    const options = [...document.querySelectorAll<HTMLElement>('mat-option')];
    const found = options.find((one) => one.textContent?.trim() === words);
    if (!found) throw new Error(`there is no choice "${words}" at ${selector}`);
    found.click();
    await this.settle();
  }

  async submit(form = 'form'): Promise<void> {
    this.element.querySelector(form)?.dispatchEvent(new Event('submit'));
    await this.settle();
  }

  private async settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    TestBed.tick();
  }
}
