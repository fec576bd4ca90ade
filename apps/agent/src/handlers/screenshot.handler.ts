import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../waiting';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { literal, powerShell } from './power-shell';
import { runProgram } from './run-program';

/** The commands to try, in this order. */
export function screenshotCommand(platform: NodeJS.Platform, file: string): { file: string; args: string[] }[] {
  if (platform === 'darwin') return [{ file: 'screencapture', args: ['-x', file] }];
  if (platform !== 'win32') {
    return [
      { file: 'scrot', args: ['-o', file] },
      { file: 'import', args: ['-window', 'root', file] },
    ];
  }
  const script = [
    'Add-Type -AssemblyName System.Windows.Forms, System.Drawing',
    '$b = [System.Windows.Forms.SystemInformation]::VirtualScreen',
    '$i = New-Object System.Drawing.Bitmap $b.Width, $b.Height',
    '$g = [System.Drawing.Graphics]::FromImage($i)',
    '$g.CopyFromScreen($b.Location, [System.Drawing.Point]::Empty, $b.Size)',
    `$i.Save(${literal(file)}, [System.Drawing.Imaging.ImageFormat]::Png)`,
  ];
  return [powerShell(script.join('; '))];
}

/** Owns one picture of the screen, from the program that takes it to the artifact; it must never leave the file behind. */
export class ScreenshotHandler implements Handler {
  readonly action = 'screenshot';

  async run(context: HandlerContext): Promise<HandlerResult> {
    const folder = await mkdtemp(join(tmpdir(), 'gwanje-screenshot-'));
    try {
      const file = join(folder, 'screenshot.png');
      const problem = await this.take(context, file);
      if (problem) return { success: false, error: `no screenshot: ${problem}` };
      const { id, sha256, size } = await context.upload('screenshot.png', 'image/png', await readFile(file));
      return { success: true, data: { artifactId: id, size, sha256 } };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  private async take(context: HandlerContext, file: string): Promise<string | undefined> {
    const { display } = context.frame.payload as { display?: string };
    const env: Record<string, string> = display ? { DISPLAY: display } : {};
    const problems: string[] = [];
    for (const command of screenshotCommand(process.platform, file)) {
      try {
        const end = await runProgram(context, command.file, command.args, { env });
        if (end.exitCode === 0) return undefined;
        problems.push(`${command.file}: ${end.stderr.trim() || `exit code ${end.exitCode}`}`);
      } catch (error) {
        context.signal.throwIfAborted();
        problems.push(messageOf(error));
      }
    }
    return problems.join('; ');
  }
}
