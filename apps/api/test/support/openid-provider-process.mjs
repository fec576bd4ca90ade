/**
 * A real OpenID provider for the journeys, in a process of its own: `node openid-provider-process.mjs [port]`, spoken to over IPC. It tells its
 * issuer, serves once it knows the redirect addresses, and takes accounts as they come; anybody logs in with any password.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const accounts = new Map();
const key = () => ({ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid: 'journeys', use: 'sig', alg: 'RS256' });
const server = createServer();
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.send({ issuer: `http://127.0.0.1:${server.address().port}` });
});

process.on('message', ({ id, client, forged, account }) => {
  if (client) serve(client, forged);
  if (account) accounts.set(account.sub, account);
  process.send({ done: id });
});
process.on('disconnect', () => process.exit(0));

/** `forged`: it signs with another key than the one that it shows. */
function serve(client, forged) {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [{ ...client, token_endpoint_auth_method: 'client_secret_post' }],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
    jwks: { keys: [key()] },
    cookies: { keys: ['journeys only'] },
    pkce: { required: () => true },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) }),
  });
  const { n, e, kid, use, alg } = key();
  const shown = JSON.stringify({ keys: [{ kty: 'RSA', n, e, kid, use, alg }] });
  const serveTruly = provider.callback();
  server.on('request', (request, response) => {
    if (forged && request.url === '/jwks') response.setHeader('Content-Type', 'application/json').end(shown);
    else serveTruly(request, response);
  });
}
