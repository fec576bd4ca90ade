export interface Installation {
  url: string;
  email: string;
  /** The one that was made up a moment ago, to be shown this once. */
  newPassword: string | null;
  /** Null when the password came from ADMIN_PASSWORD. */
  passwordFile: string | null;
  /** Null when no token could be had: the password is not known here any more. */
  tokenFile: string | null;
  folder: string;
}

/** What runs where, and lines for another terminal that can be pasted as they are into sh and bash. */
export function howToGoOn({ url, email, newPassword, passwordFile, tokenFile, folder }: Installation): string {
  return [
    '',
    `Gwanje runs at ${url}  (Ctrl-C stops it; its data stays in ${folder})`,
    ...(tokenFile
      ? [`  log in as ${email} ${passwordHint(newPassword, passwordFile)}`, ...nextCommand(url, tokenFile)]
      : []),
    '',
  ].join('\n');
}

function passwordHint(newPassword: string | null, passwordFile: string | null): string {
  if (newPassword) return `with the password ${newPassword}  (shown only now, kept in ${passwordFile ?? ''})`;
  return passwordFile
    ? `with the password of the first start, kept in ${passwordFile}`
    : 'with the ADMIN_PASSWORD of the first start';
}

function nextCommand(url: string, tokenFile: string): string[] {
  const bearer = `-H "Authorization: Bearer $TOKEN"`;
  return [
    '',
    'Send the next command from another terminal, and look at what came of it:',
    '',
    `  TOKEN=$(cat ${quoted(tokenFile)})`,
    `  curl -s ${url}/api/commands ${bearer} -H 'Content-Type: application/json' \\`,
    `    -d '{"clientId":"local","action":"shell","payload":{"program":"uname","args":["-a"]}}'`,
    `  sleep 1; curl -s '${url}/api/commands?limit=1' ${bearer}`,
  ];
}

/** One word for a shell, whatever is in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
