/** Builds the conditions of one query: `?` in a text stands for the next of its values, which become `$n` parameters. */
export class Conditions {
  private readonly texts: string[] = [];

  /** Parameters that stand before those of the conditions come first. */
  constructor(readonly values: unknown[] = []) {}

  and(text: string, ...values: unknown[]): this {
    this.texts.push(`(${this.bind(text, ...values)})`);
    return this;
  }

  /** The same, unless the value is undefined. */
  given(text: string, value: unknown): this {
    return value === undefined ? this : this.and(text, value);
  }

  bind(text: string, ...values: unknown[]): string {
    const rest = [...values];
    return text.replace(/\?/g, () => `$${this.values.push(rest.shift())}`);
  }

  /** For a WHERE. */
  get sql(): string {
    return this.texts.join(' AND ') || 'true';
  }
}
