import { applyDecorators, Injectable, type PipeTransform, type ArgumentMetadata } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';
import { InvalidInput } from '../errors/errors';

/** One whole number out of an address, within its bounds; undefined when it is not given. Names it in its fault. */
@Injectable()
export class WholeNumber implements PipeTransform<unknown, number | undefined> {
  constructor(private readonly bounds: { least: number; most: number }) {}

  transform(value: unknown, { data }: ArgumentMetadata): number | undefined {
    if (value === undefined) return undefined;
    const { least, most } = this.bounds;
    // The global pipe has made a number of it already.
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidInput([{ path: data ?? '', message: `must be a whole number from ${least} to ${most}` }]);
  }
}

/** Says so in the API document. */
export const DescribeWholeNumber = (name: string, { least, most }: { least: number; most: number }, description: string): MethodDecorator =>
  applyDecorators(ApiQuery({ name, required: false, description, schema: { type: 'integer', minimum: least, maximum: most } }));
