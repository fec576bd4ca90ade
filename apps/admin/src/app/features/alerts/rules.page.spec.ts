import type { AlertChannel, AlertRule } from '@gwanje/contracts';
import { PageTest } from '../../../testing/page-test';
import { RulesPage } from './rules.page';

const RULES: AlertRule[] = [
  {
    id: 'r1',
    name: 'printers gone',
    enabled: true,
    condition: { kind: 'client_offline', minutes: 5, group: 'printers', labels: { floor: '2' } },
    channels: ['c1'],
    createdAt: '2026-01-01T00:00:00Z',
  },
  {
    id: 'r2',
    name: 'rate',
    enabled: false,
    condition: { kind: 'error_rate', percent: 20, minutes: 10, atLeast: 30, action: 'print' },
    channels: [],
    createdAt: '2026-01-01T00:00:00Z',
  },
];
const CHANNELS: AlertChannel[] = [
  { id: 'c1', name: 'on call', kind: 'webhook', url: 'https://hooks.example.com/x', createdAt: '2026-01-01T00:00:00Z' },
];

describe('the page of rules', () => {
  let test: PageTest;
  afterEach(() => test.verify());

  async function open(...permissions: ('alerts.read' | 'alerts.manage')[]): Promise<void> {
    test = new PageTest('rules', RulesPage).may(...permissions);
    await test.visit('/rules');
    if (permissions.includes('alerts.manage')) await test.answer('/api/alerts/channels', { items: CHANNELS });
    await test.answer('/api/alerts/rules', { items: RULES });
  }

  it('says in words what each waits for, where, and who is told', async () => {
    await open('alerts.read', 'alerts.manage');
    expect(test.text).toMatch(/printers gone\s*offline for 5 min printers · floor=2\s*on call\s*Watched/);
    expect(test.text).toMatch(/rate\s*more than 20 % of at least 30 failed within 10 min print\s*tells nobody\s*Off/);
  });

  it('lets only who may manage them change any', async () => {
    await open('alerts.read');
    expect(test.has('Add a rule')).toBe(false);
    expect(test.has('Change')).toBe(false);
  });

  it('sends a new rule with the fields of its kind, and nothing else', async () => {
    await open('alerts.read', 'alerts.manage');
    test.button('Add a rule').click();
    await test.until(() => test.has('Save'));
    await test.submit();
    expect(test.text).toContain('Letters, digits, spaces');
    await test.type('input[formControlName=name]', 'shops gone');
    await test.type('input[type=number]', '15');
    await test.type('input[formControlName=group]', 'shops');
    await test.submit();
    const call = await test.answer('/api/alerts/rules', { id: 'r3' }, 'POST');
    expect(call.request.body).toEqual({
      name: 'shops gone',
      enabled: true,
      condition: { kind: 'client_offline', minutes: 15, group: 'shops' },
      channels: [],
    });
    await test.answer('/api/alerts/channels', { items: CHANNELS });
    await test.answer('/api/alerts/rules', { items: RULES });
    expect(test.text).toContain('Saved');
  });

  it('shows a rule as it is when it is changed, and keeps what was typed when the server refuses it', async () => {
    await open('alerts.read', 'alerts.manage');
    test.button('Change the rule rate').click();
    await test.until(() => test.has('Save'));
    expect(
      [...test.element.querySelectorAll<HTMLInputElement>('input[type=number]')].map(({ value }) => value),
    ).toEqual(['20', '30', '10']);
    await test.submit();
    await test.refuse('/api/alerts/rules/r2', 'PATCH', {
      status: 400,
      code: 'invalid_input',
      errors: [{ path: 'condition.action', message: 'is not known' }],
    });
    expect(test.element.querySelector('mat-error')?.textContent).toContain('is not known');
    expect(test.element.querySelector('gw-problem-notice')).toBeNull();
    expect(test.element.querySelector<HTMLInputElement>('input[formControlName=action]')?.value).toBe('print');
  });

  it('says at each field of the condition what the server has against it', async () => {
    await open('alerts.read', 'alerts.manage');
    test.button('Change the rule printers gone').click();
    await test.until(() => test.has('Save'));
    await test.submit();
    await test.refuse('/api/alerts/rules/r1', 'PATCH', {
      status: 400,
      code: 'invalid_input',
      errors: [
        { path: 'condition.minutes', message: 'is odd' },
        { path: 'condition.group', message: 'is empty' },
        { path: 'condition.clientId', message: 'there is no such client' },
        { path: 'channels[0]', message: 'there is no such channel' },
        { path: 'condition.labels.floor', message: 'must be a string' },
      ],
    });
    const faults = [...test.element.querySelectorAll('mat-error, gw-tag-field [role=alert]')];
    expect(faults.map((one) => one.textContent?.trim())).toEqual([
      'is odd',
      'is empty',
      'must be a string',
      'there is no such client',
      'there is no such channel',
    ]);
  });

  it('takes the parts of a percent that the server takes', async () => {
    await open('alerts.read', 'alerts.manage');
    test.button('Change the rule rate').click();
    await test.until(() => test.has('Save'));
    await test.type('input[type=number]', '0.125');
    await test.submit();
    expect(test.text).toContain('at most two decimals');
    await test.type('input[type=number]', '99.99');
    await test.submit();
    const { request } = await test.call('/api/alerts/rules/r2', 'PATCH');
    expect(request.body).toMatchObject({ condition: { percent: 99.99 } });
  });

  it('does not send a rule without the label that is typed and wrong', async () => {
    await open('alerts.read', 'alerts.manage');
    test.button('Change the rule printers gone').click();
    await test.until(() => test.has('Save'));
    await test.type('gw-tag-field input', 'ground');
    await test.submit();
    expect(test.element.querySelector('gw-tag-field [role=alert]')?.textContent).toContain('ground');
    test.verify();
  });

  it('removes a rule after a question', async () => {
    await open('alerts.read', 'alerts.manage');
    test.button('Remove the rule rate').click();
    await test.answer('/api/alerts/rules/r2', null, 'DELETE');
    await test.answer('/api/alerts/channels', { items: CHANNELS });
    await test.answer('/api/alerts/rules', { items: RULES.slice(0, 1) });
    expect(test.text).toContain('Removed');
    expect(test.text).not.toContain('tells nobody');
  });
});
