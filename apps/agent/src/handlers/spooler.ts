import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** Of RFC 8011: the states of a job that it does not leave again. */
const END_STATES: Readonly<Record<number, JobState>> = { 7: 'canceled', 8: 'aborted', 9: 'completed' };
export type JobState = 'canceled' | 'aborted' | 'completed';

const TIMEOUT_MS = 5_000;
const IPP_PORT = 631;
const GET_JOB_ATTRIBUTES = 0x0009;
const FIRST_FAULT = 0x0400;
const Tag = {
  operation: 0x01,
  end: 0x03,
  enum: 0x23,
  keyword: 0x44,
  uri: 0x45,
  charset: 0x47,
  language: 0x48,
} as const;

/**
 * Asks CUPS by IPP how a job ended, which lpstat does not tell. `server` is the answer of `lpstat -H`: a socket's path or
 * `host:port`. Undefined while the job is open, `unknown` when CUPS does not tell. Rejects when CUPS is away.
 */
export async function askJobState(
  server: string,
  job: number,
  signal: AbortSignal,
): Promise<JobState | 'unknown' | undefined> {
  const { hostname, port } = server.startsWith('/')
    ? { hostname: 'localhost', port: String(IPP_PORT) }
    : new URL(`http://${server}`);
  const answer = await new Promise<{ status?: number; body: Buffer }>((resolve, reject) => {
    const call = request(
      {
        ...(server.startsWith('/') ? { socketPath: server } : { hostname, port: port || IPP_PORT }),
        method: 'POST',
        path: `/jobs/${job}`,
        headers: { 'Content-Type': 'application/ipp', Host: 'localhost' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      },
      (response) => void buffer(response).then((body) => resolve({ status: response.statusCode, body }), reject),
    );
    call.once('error', reject);
    call.end(jobStateRequest(job));
  });
  return answer.status === 200 ? readJobState(answer.body) : 'unknown';
}

export function jobStateRequest(job: number): Buffer {
  const head = Buffer.from([2, 0, 0, GET_JOB_ATTRIBUTES, 0, 0, 0, 1, Tag.operation]);
  return Buffer.concat([
    head,
    attribute(Tag.charset, 'attributes-charset', 'utf-8'),
    attribute(Tag.language, 'attributes-natural-language', 'en'),
    attribute(Tag.uri, 'job-uri', `ipp://localhost/jobs/${job}`),
    attribute(Tag.keyword, 'requested-attributes', 'job-state'),
    Buffer.from([Tag.end]),
  ]);
}

export function readJobState(answer: Buffer): JobState | 'unknown' | undefined {
  if (answer.length < 8 || answer.readUInt16BE(2) >= FIRST_FAULT) return 'unknown';
  const name = Buffer.concat([Buffer.from([Tag.enum]), sized('job-state'), Buffer.from([0, 4])]);
  const at = answer.indexOf(name);
  if (at < 0 || answer.length < at + name.length + 4) return 'unknown';
  return END_STATES[answer.readInt32BE(at + name.length)];
}

function attribute(tag: number, name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([tag]), sized(name), sized(value)]);
}

function sized(text: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}
