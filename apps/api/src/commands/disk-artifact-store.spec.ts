import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { v7 as uuid } from 'uuid';
import { StoreUnavailable } from './artifact-store';
import { DiskArtifactStore } from './disk-artifact-store';

describe('artifacts on disk', () => {
  let folder: string;
  let store: DiskArtifactStore;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-disk-'));
    store = new DiskArtifactStore(join(folder, 'made', 'when needed'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const old = async (time: Date): Promise<string[]> => {
    const ids: string[] = [];
    for await (const some of store.storedBefore(time)) ids.push(...some);
    return ids;
  };

  it('are what was put in, until they are removed', async () => {
    const id = uuid();
    expect(await old(new Date())).toEqual([]);
    await store.put(id, Buffer.from('picture'));
    const stream = await store.open(id);
    expect(stream && (await buffer(stream)).toString()).toBe('picture');
    await store.remove(id);
    await store.remove(id);
    expect([await store.open(id), readdirSync(join(folder, 'made', 'when needed'))]).toEqual([null, []]);
  });

  it('tell their age, and are not what else lies there', async () => {
    const [older, newer] = [uuid(), uuid()];
    for (const id of [older, newer]) await store.put(id, Buffer.from('x'));
    const path = (name: string): string => join(folder, 'made', 'when needed', name);
    writeFileSync(path('notes.txt'), 'x');
    writeFileSync(path(`${uuid()}.part`), 'x');
    for (const name of readdirSync(path(''))) if (name !== newer) utimesSync(path(name), 1, 1);
    const begun = `${uuid()}.part`;
    writeFileSync(path(begun), 'x');
    expect(await old(new Date(Date.now() - 60_000))).toEqual([older]);
    // What somebody began long ago, and never finished, is gone.
    expect(readdirSync(path('')).sort()).toEqual([older, newer, begun, 'notes.txt'].sort());
  });

  it('leave nothing behind when they could not be put there', async () => {
    const id = uuid();
    const path = join(folder, 'made', 'when needed');
    // No file takes the name of a folder.
    mkdirSync(join(path, id, 'x'), { recursive: true });
    await expect(store.put(id, Buffer.from('x'))).rejects.toBeInstanceOf(StoreUnavailable);
    expect(readdirSync(path)).toEqual([id]);
  });

  it('are refused for the moment where the disk refuses, and the reason is kept for the log', async () => {
    writeFileSync(join(folder, 'made'), 'no folder');
    const refusal = await store.put(uuid(), Buffer.from('x')).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailable);
    expect(refusal).toMatchObject({ status: 503, reason: expect.stringMatching(/ENOTDIR|EEXIST/) as string });
    await expect(store.open(uuid())).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(old(new Date())).rejects.toBeInstanceOf(StoreUnavailable);
  });
});
