import type { TestEnvironment } from './environment';

/** The bytes of an artifact, as a person gets them. */
export async function download(env: TestEnvironment, commandId: string, artifactId: unknown): Promise<Buffer> {
  const answer = await env.get(`/api/commands/${commandId}/artifacts/${String(artifactId)}`).responseType('arraybuffer').expect(200);
  return answer.body as Buffer;
}
