import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { provideRouter } from '@angular/router';
import { Subject } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { I18n } from '../../core/i18n/i18n';
import { ClientsApi } from './clients-api';
import { EnrolPage } from './enrol.page';

describe('the page that enrols machines', () => {
  const api = { enrolmentTokens: jest.fn(), createEnrolmentToken: jest.fn(), givesAgents: jest.fn() };
  let fixture: ComponentFixture<EnrolPage>;
  let page: HTMLElement;

  beforeEach(() => {
    api.enrolmentTokens.mockReset().mockResolvedValue({ items: [], nextCursor: null });
    api.createEnrolmentToken.mockReset().mockResolvedValue({ token: 'gwe_abc', createdAt: '2026-03-05T12:00:00Z' });
    TestBed.configureTestingModule({
      providers: [
        provideRouter([]),
        { provide: ClientsApi, useValue: api },
        { provide: EventStream, useValue: { opened: new Subject(), news: () => new Subject() } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    fixture = TestBed.createComponent(EnrolPage);
    page = fixture.nativeElement as HTMLElement;
  });

  const made = async (): Promise<string> => {
    await fixture.whenStable();
    page.querySelector<HTMLButtonElement>('button[type=submit]')?.click();
    await fixture.whenStable();
    return [...page.querySelectorAll('gw-copy-text')].at(-1)?.textContent ?? '';
  };

  it('shows the line that installs an agent where the server gives it out', async () => {
    api.givesAgents.mockResolvedValue(true);
    expect(await made()).toContain(`curl -fsSL '${location.origin}/install.sh?token=gwe_abc' | sh`);
  });

  it('shows the line for a built folder elsewhere', async () => {
    api.givesAgents.mockResolvedValue(false);
    const line = await made();
    expect(line).toContain('node dist/apps/agent/main.js');
    expect(line).not.toContain('install.sh');
  });

  it('sends the groups that still stand in their field', async () => {
    api.givesAgents.mockResolvedValue(true);
    await fixture.whenStable();
    const groups = page.querySelector<HTMLInputElement>('gw-tag-field input');
    if (groups) groups.value = 'shop, floor';
    await made();
    expect(api.createEnrolmentToken).toHaveBeenCalledWith(
      expect.objectContaining({ groups: ['shop', 'floor'], uses: 1 }),
    );
  });
});
