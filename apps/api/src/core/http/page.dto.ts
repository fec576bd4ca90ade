import { PartialType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsUUID, Max, Min } from 'class-validator';
import { InvalidInput } from '../errors/errors';

/** Query of every list: newest first, `cursor` from the answer before. */
export class PageDto {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit = 50;

  /** The id of the last item seen. */
  @IsOptional()
  @IsUUID()
  cursor?: string;
}

/** Query of a list that is never long: all of it, unless a part is asked for. */
export class ShortListDto extends PartialType(PageDto) {
  override limit?: number = undefined;
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** The answer of a list that is never long. Throws InvalidInput for a cursor that is not of it, or not any more. */
export function whole<T extends { id: string }>(items: T[], { limit = items.length, cursor }: ShortListDto): Page<T> {
  const from = cursor === undefined ? 0 : items.findIndex(({ id }) => id === cursor) + 1;
  if (cursor !== undefined && from === 0) throw new InvalidInput([{ path: 'cursor', message: 'is not of this list; begin again without it' }]);
  return page(items.slice(from), limit);
}

/** Makes the answer of a list from one row more than was asked for. */
export function page<T extends { id: string }>(rows: T[], limit: number): Page<T> {
  const items = rows.slice(0, limit);
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}
