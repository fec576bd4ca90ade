/** The lines that start an agent, for a POSIX shell in the folder of a built Gwanje (docs/agent.md). */
const AGENT = 'node dist/apps/agent/main.js';

export const startLine = (server: string, key: string): string =>
  `SERVER_URL=${quoted(server)} CLIENT_KEY=${quoted(key)} ${AGENT}`;

/** Installs, enrols and starts an agent that the server gives out. */
export const installLine = (server: string, token: string): string =>
  `curl -fsSL ${quoted(`${server}/install.sh?token=${token}`)} | sh`;

/** Trades the token for a key under the machine's own name, keeps the key in a file of its own, and starts the agent with it. */
export function enrolLine(server: string, token: string): string {
  const body = `printf '{"token":"%s","name":"%s","platform":"%s"}' ${quoted(token)} "$(hostname)" "$(uname -s)"`;
  const enrol = `${body} | curl -fsS ${quoted(`${server}/api/enrol`)} -H 'Content-Type: application/json' -d @-`;
  const keep = `node -p 'JSON.parse(fs.readFileSync(0)).clientKey' > client.key`;
  return `(umask 077; ${enrol} | ${keep}) && SERVER_URL=${quoted(server)} CLIENT_KEY="$(cat client.key)" ${AGENT}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
