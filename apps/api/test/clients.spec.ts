import { TestEnvironment } from './support/environment';

describe('the list of clients', () => {
  let env: TestEnvironment;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    await env.client('seoul-1', { labels: { site: 'seoul', floor: '1' }, groups: ['tills'] });
    await env.client('seoul-2', { labels: { site: 'seoul', floor: '2', formula: 'a=b' } });
    await env.client('busan-1', { labels: { site: 'busan' }, groups: ['tills'] });
    await env.client('nowhere-1');
  });
  afterAll(() => env.destroy());

  const names = async (query: string): Promise<string[]> => {
    const { body } = await env.get(`/api/clients?${query}`).expect(200);
    return (body as { items: { name: string }[] }).items.map(({ name }) => name).sort();
  };

  it.each([
    ['label=site', ['busan-1', 'seoul-1', 'seoul-2']],
    ['label=site=seoul', ['seoul-1', 'seoul-2']],
    ['label=site%3Dseoul&label=floor=2', ['seoul-2']],
    ['label=site&label=floor=9', []],
    ['label=formula=a=b', ['seoul-2']],
    ['label=site=', []],
    ['label=sit', []],
    ['label=site&group=tills&status=offline&q=BUS', ['busan-1']],
    [`label=${encodeURIComponent('{"site":"seoul"}')}`, []],
  ])('with %s has %j', async (query, expected) => {
    expect(await names(query)).toEqual(expected);
  });

  it('names what is wrong with a label', async () => {
    const { body } = await env.get(`/api/clients?label=${'x'.repeat(401)}`).expect(400);
    expect(body).toMatchObject({ code: 'invalid_input', errors: [{ path: 'label' }] });
    await env.get('/api/clients?label=a%00').expect(400);
  });
});
