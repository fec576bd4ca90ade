import { IsString } from 'class-validator';
import { DtoPipe } from './validation';

class NamedDto {
  @IsString() name!: string;
}

const held = (value: unknown, type: 'body' | 'query'): Promise<unknown> => new DtoPipe().transform(value, { type, metatype: NamedDto });

describe.each(['body', 'query'] as const)('a %s', (type) => {
  it('is taken when it is as its DTO says', async () => {
    await expect(held({ name: 'till-1' }, type)).resolves.toEqual({ name: 'till-1' });
  });

  it.each(['nmae', 'constructor', 'toString'])('with the unknown field %s is refused, and it is named', async (field) => {
    const errors = [{ path: field, message: `property ${field} should not exist` }];
    await expect(held({ name: 'till-1', [field]: 'x' }, type)).rejects.toMatchObject({ errors });
  });
});
