/** PowerShell ends a literal at the typographic quotes too. */
export function literal(text: string): string {
  return `'${text.replace(/['\u2018\u2019\u201A\u201B]/g, '$&$&')}'`;
}

export function powerShell(script: string): { file: string; args: string[] } {
  const stopAtErrors = `$ErrorActionPreference = 'Stop'; ${script}`;
  return { file: 'powershell.exe', args: ['-NoProfile', '-NonInteractive', '-Command', stopAtErrors] };
}
