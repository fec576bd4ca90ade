import { PageTest } from '../../../testing/page-test';
import { NewClientPage } from './new-client.page';

const [GROUPS, LABELS] = ['gw-tag-field:nth-of-type(1) input', 'gw-tag-field:nth-of-type(2) input'];

describe('the page that makes a client', () => {
  let test: PageTest;
  beforeEach(async () => {
    test = new PageTest('clients/new', NewClientPage).may('clients.manage');
    await test.visit('/clients/new');
    await test.type('input[formControlName=name]', ' till-1 ');
  });
  afterEach(() => test.verify());

  it('sends what still stands in the fields of its tags, and shows the key once', async () => {
    await test.type(GROUPS, 'shop, floor');
    await test.type(LABELS, 'site=seoul');
    await test.submit();
    const call = await test.call('/api/clients', 'POST');
    const tags = { groups: ['shop', 'floor'], labels: { site: 'seoul' } };
    expect(call.request.body).toEqual({ name: 'till-1', concurrency: 4, ...tags });
    call.flush({ id: 'c1', name: 'till-1', clientKey: 'gwk_abc' });
    await test.until(() => test.text.includes('gwk_abc'));
    await test.click('Add another');
    expect(test.text).not.toContain('gwk_abc');
    expect(test.element.querySelector<HTMLInputElement>('input[formControlName=name]')?.value).toBe('');
    expect(test.text).toContain('site=seoul');
  });

  it('is not sent while a tag is wrong, and says which', async () => {
    await test.type(LABELS, 'seoul');
    await test.submit();
    expect(test.text).toContain('Write name=value, separated by commas: seoul');
    await test.type(LABELS, 'site=seoul');
    await test.submit();
    expect((await test.call('/api/clients', 'POST')).request.body).toMatchObject({ labels: { site: 'seoul' } });
  });

  it('puts what the server says at its field', async () => {
    await test.type(GROUPS, 'shop');
    await test.submit();
    const errors = [{ path: 'groups[0]', message: 'must be shorter than or equal to 50 characters' }];
    await test.refuse('/api/clients', 'POST', { status: 400, code: 'invalid_input', errors });
    const [groups] = test.element.querySelectorAll('gw-tag-field');
    expect(groups?.querySelector('[role=alert]')?.textContent).toContain('50 characters');
  });
});
