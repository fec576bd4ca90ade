/** Has the browser save bytes as a file. */
export function saveAs(bytes: Blob, name: string): void {
  const address = URL.createObjectURL(bytes);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun by then; without it the bytes would stay in memory as long as the page.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
