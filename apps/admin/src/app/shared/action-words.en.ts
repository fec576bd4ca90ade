/** What the built-in actions and their parameters are called: a title and a hint; without a hint, the schema's own. */
type Named = Record<string, readonly [title: string, hint?: string]>;

export const actions: Named = {
  collect_logs: ['Collect logs', 'Packs log files of the machine; the .tar.gz comes back as a file'],
  emergency_shutdown: [
    'Emergency shutdown',
    'Shuts the machine down, where its own policy allows it. Send it with priority 10',
  ],
  file_get: ['Fetch a file', 'A file of the machine comes back'],
  file_put: ['Write a file', 'All of it or nothing, in a folder that the machine’s own policy names'],
  noop: ['Test the line', 'Does nothing and answers; proves that the whole line works'],
  print: ['Print a file', 'Prints a file of the machine; the result has the spooler’s job id and state'],
  restart_service: ['Restart a service', 'One that the machine’s own policy allows'],
  screenshot: ['Take a screenshot', 'A picture of the screen comes back'],
  shell: ['Run a program', 'One that the machine’s own policy allows, without a shell in between'],
  system_info: ['System information', 'Host name, platform, processors, memory, uptime'],
};

export const fields: Named = {
  paths: ['Files and folders', 'Folders with all that is in them; without it the usual folders of the platform'],
  maxBytes: ['Most bytes', 'Before compression'],
  since: ['Changed since', 'Such as 2026-01-31T09:00:00+09:00'],
  delaySeconds: ['Delay in seconds', 'So that the result arrives first'],
  reason: ['Reason', 'Shown to whoever is logged in on the machine'],
  dryRun: ['Only try', 'Answers with the command line and does nothing'],
  path: ['Path on the machine', 'A full path'],
  content: ['Content', 'Shown to nobody afterwards'],
  encoding: ['Encoding of the content'],
  mode: ['File mode', 'Octal, such as 644; without it a new file gets 600 and an old one keeps its own'],
  overwrite: ['Replace an existing file', 'One that has another content'],
  delayMs: ['Delay in milliseconds', 'Before the answer'],
  echo: ['Echo', 'Any JSON value, given back in the result'],
  filePath: ['File on the machine', 'The path of what is to be printed'],
  file: ['File (other name)', 'The same as the file on the machine'],
  printer: ['Printer', 'Without it the machine’s default printer'],
  copies: ['Copies'],
  options: ['Options'],
  'options.duplex': ['Both sides'],
  service: ['Service'],
  display: ['Screen', 'Without it the machine’s first'],
  program: ['Program', 'Its path on the machine; no shell in between'],
  args: ['Arguments'],
  cwd: ['Working folder'],
};
