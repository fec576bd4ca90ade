import type { AlertChannel } from '@gwanje/contracts';
import { PageTest } from '../../../testing/page-test';
import { ChannelsPage } from './channels.page';

const CHANNELS: AlertChannel[] = [
  { id: 'c1', name: 'on call', kind: 'webhook', url: 'https://hooks.example.com/x', createdAt: '2026-01-01T00:00:00Z' },
  { id: 'c2', name: 'team', kind: 'email', addresses: ['a@example.com'], createdAt: '2026-01-01T00:00:00Z' },
];

describe('the page of channels', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('channels', ChannelsPage).may('alerts.read', 'alerts.manage');
    await test.visit('/channels');
    await test.answer('/api/alerts/channels', { items: CHANNELS });
  });
  afterEach(() => test.verify());

  const again = (): Promise<unknown> => test.answer('/api/alerts/channels', { items: CHANNELS });

  it('shows the secret of a new webhook once', async () => {
    test.button('Add a channel').click();
    await test.until(() => test.has('Create'));
    await test.type('input[formControlName=name]', 'pager');
    await test.type('input[formControlName=url]', 'https://pager.example.com/in');
    await test.submit();
    const call = await test.answer('/api/alerts/channels', { id: 'c3', secret: 'gwh_secret' }, 'POST');
    expect(call.request.body).toEqual({ name: 'pager', kind: 'webhook', url: 'https://pager.example.com/in' });
    await again();
    expect(test.element.querySelector('pre')?.textContent).toBe('gwh_secret');
    test.button('I have kept it').click();
    await test.until(() => !test.text.includes('gwh_secret'));
  });

  it('says at the field what the server has against an address', async () => {
    test.button('Add a channel').click();
    await test.until(() => test.has('Create'));
    await test.type('input[formControlName=name]', 'inside');
    await test.type('input[formControlName=url]', 'https://10.0.0.1/');
    await test.submit();
    await test.refuse('/api/alerts/channels', 'POST', {
      status: 400,
      code: 'invalid_input',
      errors: [{ path: 'url', message: 'The address is not a public one; more' }],
    });
    expect(test.element.querySelector('mat-error')?.textContent).toContain('not a public one');
  });

  it('makes no channel without the address that is typed and wrong', async () => {
    test.button('Add a channel').click();
    await test.until(() => test.has('Create'));
    await test.type('input[formControlName=name]', 'night');
    await test.choose('mat-select[formControlName=kind]', 'E-mail');
    await test.type('gw-tag-field input', 'a@example.com, lee');
    await test.submit();
    expect(test.element.querySelector('gw-tag-field [role=alert]')?.textContent).toContain('lee');
    test.verify();
  });

  it('sends a test, and says where its outcome is', async () => {
    test.button('Send a test to team').click();
    await test.answer('/api/alerts/channels/c2/test', { deliveryId: 'd' }, 'POST');
    await again();
    expect(test.text).toContain('The test is on its way');
  });

  it('makes a new secret for webhooks only, after a question', async () => {
    expect(() => test.button('Make a new secret for team')).toThrow();
    test.button('Make a new secret for on call').click();
    await test.answer('/api/alerts/channels/c1/rotate-secret', { id: 'c1', secret: 'gwh_new' }, 'POST');
    await again();
    expect(test.element.querySelector('pre')?.textContent).toBe('gwh_new');
  });

  it('says in its own words why a channel stays', async () => {
    test.button('Remove the channel on call').click();
    await test.refuse('/api/alerts/channels/c1', 'DELETE', { status: 409, code: 'channel_in_use' });
    expect(test.text).toContain('A rule still tells this channel');
  });
});
