/** The least that reads the server's own event streams: fields `event` and `data`, one line each, LF; comments are skipped. */
export function eventParser(onEvent: (event: string, data: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    rest += text;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const block = rest.slice(0, end);
      rest = rest.slice(end + 2);
      let event = 'message';
      let data: string | undefined;
      for (const line of block.split('\n')) {
        if (line.startsWith('data: ')) data = line.slice(6);
        else if (line.startsWith('event: ')) event = line.slice(7);
      }
      if (data !== undefined) onEvent(event, data);
    }
  };
}
