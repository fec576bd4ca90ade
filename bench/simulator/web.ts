import http from 'node:http';
import https from 'node:https';

/** What speaks the protocol of this address. A certificate of one's own is trusted by NODE_EXTRA_CA_CERTS. */
export const webOf = (url: string): Pick<typeof http, 'Agent' | 'request'> => (new URL(url).protocol === 'https:' ? https : http);
