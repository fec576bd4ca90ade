import type * as Sdk from '@aws-sdk/client-s3';
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PassThrough, type Readable } from 'node:stream';
import { validate as isUuid } from 'uuid';
import type { Config } from '../core/config/config';
import { type ArtifactFacts, ArtifactStore, StoreUnavailable } from './artifact-store';

const CONNECT_MS = 3_000;
/** Without an answer, or without the next bytes of one, a request is given up. */
const PATIENCE_MS = 10_000;
/** An upload may take longer, by as much as an agent grants for its own (256 KiB/s). */
const SLOWEST_BYTES_PER_MS = 262;
/** A type that a signed header carries unchanged. Whatever the object's is, the one that counts is the row's. */
const PLAIN_TYPE = /^(?=.{1,200}$)[\x21-\x7e]+( [\x21-\x7e]+)*$/;

/** One object for each artifact, whose key is the prefix and the artifact's id, in a bucket that all servers share. Credentials are the SDK's to find. */
export class S3ArtifactStore extends ArtifactStore implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('S3ArtifactStore');

  private constructor(
    private readonly sdk: typeof Sdk,
    private readonly client: Sdk.S3Client,
    private readonly bucket: string,
    private readonly prefix: string,
  ) {
    super();
  }

  /** Loads the client of S3 as well: a server without a bucket has no use for it. */
  static async connect({ ARTIFACTS_S3_ENDPOINT, ARTIFACTS_S3_REGION, ARTIFACTS_S3_PREFIX }: Config, bucket: string): Promise<S3ArtifactStore> {
    const sdk = await import('@aws-sdk/client-s3');
    const client = new sdk.S3Client({
      // Servers other than Amazon's take any region, and have no host name for each bucket.
      ...(ARTIFACTS_S3_ENDPOINT && { endpoint: ARTIFACTS_S3_ENDPOINT, forcePathStyle: true }),
      region: ARTIFACTS_S3_REGION ?? 'us-east-1',
      requestHandler: { connectionTimeout: CONNECT_MS },
      // The signature covers the SHA-256 of what is sent, so other bytes are refused; not every server takes S3's newer checksums besides.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    return new S3ArtifactStore(sdk, client, bucket, ARTIFACTS_S3_PREFIX);
  }

  /** Says at the start what is wrong, and starts all the same: commands need no files. */
  onApplicationBootstrap(): void {
    const place = `s3://${this.bucket}/${this.prefix}`;
    void this.list({ MaxKeys: 1 }).then(
      () => this.log.log(`artifacts are kept in ${place}`),
      (error: StoreUnavailable) => this.log.warn(`artifacts cannot be kept in ${place}: ${error.reason}`),
    );
  }

  onApplicationShutdown(): void {
    this.client.destroy();
  }

  async put(id: string, bytes: Buffer, { contentType }: ArtifactFacts): Promise<void> {
    const ContentType = PLAIN_TYPE.test(contentType) ? contentType : 'application/octet-stream';
    const command = new this.sdk.PutObjectCommand({ ...this.at(id), Body: bytes, ContentType });
    await this.ask((options) => this.client.send(command, options), PATIENCE_MS + bytes.length / SLOWEST_BYTES_PER_MS);
  }

  async open(id: string): Promise<Readable | null> {
    const command = new this.sdk.GetObjectCommand(this.at(id));
    try {
      const { Body } = await this.ask((options) => this.client.send(command, options));
      return this.follow(Body as Readable, id);
    } catch (error) {
      if (error instanceof StoreUnavailable && error.cause instanceof this.sdk.NoSuchKey) return null;
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    await this.ask((options) => this.client.send(new this.sdk.DeleteObjectCommand(this.at(id)), options));
  }

  async *storedBefore(time: Date): AsyncIterable<string[]> {
    let ContinuationToken: string | undefined;
    do {
      const { Contents = [], NextContinuationToken } = await this.list({ ContinuationToken });
      const old = Contents.filter(({ LastModified }) => LastModified !== undefined && LastModified < time);
      yield old.map(({ Key = '' }) => Key.slice(this.prefix.length)).filter((name) => isUuid(name));
      ContinuationToken = NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  private at(id: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + id };
  }

  private list(page: Pick<Sdk.ListObjectsV2CommandInput, 'MaxKeys' | 'ContinuationToken'>): Promise<Sdk.ListObjectsV2CommandOutput> {
    const command = new this.sdk.ListObjectsV2Command({ Bucket: this.bucket, Prefix: this.prefix, Delimiter: '/', ...page });
    return this.ask((options) => this.client.send(command, options));
  }

  /** The SDK repeats by itself what is worth it; this bounds all of its tries together. */
  private async ask<T>(send: (options: { abortSignal: AbortSignal }) => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), patienceMs);
    try {
      return await send({ abortSignal: patience.signal });
    } catch (error) {
      throw new StoreUnavailable(patience.signal.aborted ? new Error(`no answer within ${Math.round(patienceMs)} ms`) : error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The body as it comes. It breaks when the next bytes do not come in time; a reader may take as long as it likes. */
  private follow(body: Readable, id: string): Readable {
    const reader = new PassThrough();
    const breakOff = (cause: Error): void => {
      const error = new StoreUnavailable(cause);
      if (!reader.destroyed) this.log.warn(`reading ${id} broke off: ${error.reason}`);
      reader.destroy(error);
    };
    const timer = setTimeout(() => (reader.writableNeedDrain ? timer.refresh() : breakOff(new Error(`no bytes for ${PATIENCE_MS} ms`))), PATIENCE_MS);
    body.on('data', () => timer.refresh()).on('end', () => clearTimeout(timer)).on('error', breakOff).pipe(reader);
    return reader.on('close', () => {
      clearTimeout(timer);
      body.destroy();
    });
  }
}
