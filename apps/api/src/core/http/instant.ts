import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsISO8601, Matches } from 'class-validator';

/** What PostgreSQL takes as well: a calendar date, or a date and time with its zone. */
const INSTANT = /^(?!0000)\d{4}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d))?$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const message = '$property must be a date, or a date and time with its zone, such as 2026-01-31T08:00:00Z';

/** A moment as text; a date alone is its midnight in UTC. */
export const IsInstant = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' && DATE.test(value) ? `${value}T00:00:00Z` : value)),
    IsISO8601({ strict: true }, { message }),
    Matches(INSTANT, { message }),
  );
