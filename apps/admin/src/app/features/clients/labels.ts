/** A client's labels as a list of `name=value`, as people write them. */
export const LABEL = /^[^=]*[^=\s]=.*$/;

export function labelsOf(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((label) => {
      const at = label.indexOf('=');
      return [label.slice(0, at).trim(), label.slice(at + 1).trim()];
    }),
  );
}

export const listOf = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels).map(([name, value]) => `${name}=${value}`);
