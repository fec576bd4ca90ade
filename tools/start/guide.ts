interface Access {
  url: string;
  email: string;
  /** Null when the password came from ADMIN_PASSWORD. */
  passwordFile: string | null;
}

/** Lines to paste into another terminal; the password itself is not among them. */
export function howToGoOn({ url, email, passwordFile }: Access): string {
  const password = passwordFile ? `$(cat '${passwordFile.replaceAll("'", `'\\''`)}')` : '$ADMIN_PASSWORD';
  const pick = (name: string): string => `node -pe 'JSON.parse(require("fs").readFileSync(0)).${name}'`;
  const json = `-H 'content-type: application/json'`;
  return [
    '',
    `Gwanje runs at ${url} (Ctrl-C stops it). From another terminal:`,
    '',
    `  PASSWORD="${password}"`,
    `  TOKEN=$(curl -s ${url}/api/auth/login ${json} -d '{"email":"${email}","password":"'"$PASSWORD"'"}' | ${pick('accessToken')})`,
    `  ID=$(curl -s ${url}/api/commands -H "authorization: Bearer $TOKEN" ${json} \\`,
    `    -d '{"clientId":"local","action":"system_info","payload":{}}' | ${pick('id')})`,
    `  curl -s ${url}/api/commands/$ID -H "authorization: Bearer $TOKEN"`,
    '',
  ].join('\n');
}
