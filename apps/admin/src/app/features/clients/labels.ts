/** A client's labels as a list of `name=value`, as people write them. */
export const LABEL = /^[^=]*[^=\s]=.*$/;

export const nameOf = (label: string): string => label.slice(0, label.indexOf('=')).trim();

export function labelsOf(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(list.map((label) => [nameOf(label), label.slice(label.indexOf('=') + 1).trim()]));
}

export const listOf = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels).map(([name, value]) => `${name}=${value}`);
