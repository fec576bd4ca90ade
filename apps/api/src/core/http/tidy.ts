import { Transform } from 'class-transformer';

/** The one form in which names and e-mails are kept and looked for: NFC, without white space around them. */
export const tidy = (text: string): string => text.normalize('NFC').trim();

const tidyAny = (value: unknown): unknown => (typeof value === 'string' ? tidy(value) : Array.isArray(value) ? value.map(tidyAny) : value);

/** For a field that holds a name, an e-mail, or a list of them: it is tidied before it is looked at. */
export const Tidy = (): PropertyDecorator => Transform(({ value }: { value: unknown }) => tidyAny(value));

/** For a column of an entity: whichever way a name comes, it is stored and compared in the one form. */
export const TIDY = { to: tidyAny, from: (value: unknown): unknown => value };
