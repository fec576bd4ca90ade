import { setupZonelessTestEnv } from 'jest-preset-angular/setup-env/zoneless';
import { TextDecoder, TextEncoder } from 'node:util';

setupZonelessTestEnv({ errorOnUnknownElements: true, errorOnUnknownProperties: true });
// Browsers have these; jsdom does not.
Object.assign(globalThis, { TextDecoder, TextEncoder });
class ReadableBlob extends Blob {
  override text(): Promise<string> {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = (): void => resolve(reader.result as string);
      reader.onerror = (): void => reject(reader.error ?? new Error('not read'));
      reader.readAsText(this);
    });
  }
}
Object.assign(globalThis, { Blob: ReadableBlob });
