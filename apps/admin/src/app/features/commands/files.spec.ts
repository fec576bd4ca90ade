import { provideHttpClient, withInterceptors } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { readableProblems } from '../../core/http/readable-problems.interceptor';
import { Files } from './files';

const FILE = {
  id: 'f-1',
  name: 'log.txt',
  contentType: 'text/plain',
  size: 3,
  sha256: 'x',
  createdAt: '2026-01-01T00:00:00Z',
};

describe('the files of a command', () => {
  let page: ComponentFixture<Files>;
  let http: HttpTestingController;
  beforeEach(async () => {
    TestBed.configureTestingModule({
      providers: [provideHttpClient(withInterceptors([readableProblems])), provideHttpClientTesting()],
    });
    http = TestBed.inject(HttpTestingController);
    page = TestBed.createComponent(Files);
    page.componentRef.setInput('commandId', 'c-1');
    page.componentRef.setInput('files', [FILE]);
    await page.whenStable();
  });

  const notice = (): string | null | undefined =>
    (page.nativeElement as HTMLElement).querySelector('gw-problem-notice p')?.textContent;
  const download = async (status: number, body: string, expected: string | undefined): Promise<void> => {
    (page.nativeElement as HTMLElement).querySelector('button')?.click();
    http.expectOne('/api/commands/c-1/artifacts/f-1').flush(new Blob([body]), { status, statusText: 'said' });
    // A Blob is read by and by.
    for (let turn = 0; turn < 100 && notice() !== expected; turn++) {
      await new Promise((resolve) => setTimeout(resolve));
      await page.whenStable();
    }
    expect(notice()).toBe(expected);
  };

  it('say why one cannot be had, until it can', async () => {
    URL.createObjectURL = (): string => 'blob:x';
    URL.revokeObjectURL = (): void => undefined;
    const saved = jest.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation();
    const away = JSON.stringify({ code: 'artifact_store_unavailable', detail: 'away' });
    await download(503, away, 'Files cannot be stored or read just now. Try again in a moment.');
    await download(502, '<html>', 'This file could not be fetched.');
    expect(saved).not.toHaveBeenCalled();
    await download(200, 'abc', undefined);
    expect(saved).toHaveBeenCalledTimes(1);
    saved.mockRestore();
  });
});
