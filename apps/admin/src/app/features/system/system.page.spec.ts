import { HttpErrorResponse } from '@angular/common/http';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { signal } from '@angular/core';
import { Subject } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { SystemApi, type SystemView } from './system-api';
import { SystemPage } from './system.page';

const VIEW: SystemView = {
  at: '2026-01-01T00:00:00Z',
  version: '1.2.3',
  node: '20.1.0',
  startedAt: '2026-01-01T00:00:00Z',
  parts: [
    { name: 'postgresql', status: 'up', version: '18.1', milliseconds: 3, detail: null },
    { name: 'redis', status: 'down', version: null, milliseconds: null, detail: 'no answer within 2 s' },
  ],
  queues: [
    { name: 'dispatch', counts: { waiting: 2, active: 1, delayed: 0, completed: 0, failed: 1 } },
    { name: 'audit-exports', counts: null },
  ],
  gateways: [
    {
      id: 'g1',
      host: 'a1',
      pid: 7,
      version: '1.2.3',
      agents: 40,
      streams: 43,
      startedAt: '2026-01-01T00:00:00Z',
      seenAt: '2026-01-01T00:00:00Z',
    },
  ],
  agents: [
    { version: '1.2.3', count: 40 },
    { version: null, count: 1 },
  ],
};

describe('the page of the system', () => {
  const api = { read: jest.fn(), failed: jest.fn(), retry: jest.fn() };
  const opened = new Subject<void>();
  let fixture: ComponentFixture<SystemPage>;
  let page: HTMLElement;

  async function open(permissions: string[]): Promise<void> {
    api.read.mockReset().mockResolvedValue(VIEW);
    api.failed.mockReset().mockResolvedValue([{ id: '5', attempts: 1, reason: 'disk full', failedAt: null }]);
    api.retry.mockReset().mockResolvedValue(undefined);
    TestBed.configureTestingModule({
      providers: [
        { provide: SystemApi, useValue: api },
        { provide: EventStream, useValue: { news: () => new Subject(), opened } },
        { provide: Session, useValue: { user: signal({ permissions }) } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    fixture = TestBed.createComponent(SystemPage);
    page = fixture.nativeElement as HTMLElement;
    await fixture.whenStable();
  }
  const button = (words: string): HTMLButtonElement | undefined =>
    [...page.querySelectorAll('button')].find((candidate) =>
      (candidate.ariaLabel ?? candidate.textContent)?.includes(words),
    );

  it('says how each part is, and why it is down', async () => {
    await open(['system.read']);
    expect(page.querySelector('.cards')?.textContent).toMatch(
      /PostgreSQL.*Well.*18\.1.*3 ms.*Redis.*Down.*no answer within 2 s/s,
    );
    expect(page.textContent).toContain('Redis is away: nobody knows');
    expect(page.textContent).toMatch(/a1.*7.*1\.2\.3.*40.*3/s);
    expect(page.textContent).toContain('1 machine');
  });

  it('runs a failed job again for whoever may', async () => {
    await open(['system.read', 'system.manage']);
    button('Show the failed jobs of dispatch')?.click();
    await fixture.whenStable();
    expect(page.textContent).toContain('disk full');
    button('Run again')?.click();
    await fixture.whenStable();
    expect(api.retry).toHaveBeenCalledWith('dispatch', '5');
    expect(api.read).toHaveBeenCalledTimes(2);
  });

  it('says why a job could not be run again until the next is tried, however often the page is read', async () => {
    await open(['system.read', 'system.manage']);
    button('Show the failed jobs of dispatch')?.click();
    await fixture.whenStable();
    const error = { code: 'not_retryable', detail: 'Only a failed job can be run again' };
    api.retry.mockRejectedValueOnce(new HttpErrorResponse({ status: 409, error }));
    button('Run again')?.click();
    await fixture.whenStable();
    opened.next();
    await fixture.whenStable();
    expect(api.read).toHaveBeenCalledTimes(3);
    expect(page.querySelector('[role=alert]')?.textContent).toContain('it cannot be run again');
    button('Run again')?.click();
    await fixture.whenStable();
    expect(page.querySelector('[role=alert]')).toBeNull();
  });

  it('does not offer it to others', async () => {
    await open(['system.read']);
    button('Show the failed jobs of dispatch')?.click();
    await fixture.whenStable();
    expect(button('Run again')).toBeUndefined();
  });

  it('is read again when the stream opens', async () => {
    await open(['system.read']);
    opened.next();
    await fixture.whenStable();
    expect(api.read).toHaveBeenCalledTimes(2);
  });
});
