import { PageTest } from '../../../testing/page-test';
import { ExplainPage } from './explain.page';

const EXPLAIN = '/api/permissions/explain';

describe('the page that explains', () => {
  let test: PageTest;
  beforeEach(() => (test = new PageTest('explain', ExplainPage)));
  afterEach(() => test.verify());

  const ask = (): Promise<void> => test.submit();

  it('asks again what the server refused to answer, also when nothing was changed', async () => {
    await test.visit('/explain?user=kim@example.com&client=till-1&action=print');
    await test.refuse(EXPLAIN, 'GET', {
      status: 400,
      code: 'invalid_input',
      errors: [{ path: 'client', message: 'is not known' }],
    });
    expect(test.element.querySelector('mat-error')?.textContent).toContain('is not known');
    await ask();
    const { request } = await test.call(EXPLAIN);
    expect(request.params.get('action')).toBe('print');
  });

  it('asks about a permission whatever stands in the fields of an action', async () => {
    await test.visit('/explain');
    await test.type('input[formControlName=user]', 'kim@example.com');
    await test.type('input[formControlName=client]', 'till-1');
    await test.type('textarea[formControlName=payload]', '{oops');
    await ask();
    expect(test.text).toContain('This is not a JSON object');
    test.element.querySelector<HTMLElement>('input[type=radio][value=permission]')?.click();
    await ask();
    const { request } = await test.call(EXPLAIN);
    expect(request.params.get('permission')).toBe('commands.read');
    expect(request.params.has('payload')).toBe(false);
  });

  it('asks for the action that is missing', async () => {
    await test.visit('/explain?user=kim@example.com&client=till-1');
    await ask();
    expect(test.text).toContain('Choose an action');
  });

  it('says below the payload what it is for, where a long label would be cut off', async () => {
    await test.visit('/explain');
    expect(test.element.querySelector('mat-hint')?.textContent).toContain('against the limits');
    expect(test.text).toContain('Payload (optional)');
  });
});
