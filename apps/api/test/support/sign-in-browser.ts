/** As much of a browser as a sign-in needs: cookies of each origin, redirects one by one, and the provider's two forms. */
export class SignInBrowser {
  private readonly jars = new Map<string, Map<string, string>>();

  cookies(url: string): Map<string, string> {
    const { origin } = new URL(url);
    const jar = this.jars.get(origin) ?? new Map<string, string>();
    this.jars.set(origin, jar);
    return jar;
  }

  /** Answers without following a redirect. */
  async open(url: string, form?: Record<string, string>): Promise<Response> {
    const jar = this.cookies(url);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Where an address redirects to. */
  async redirect(url: string): Promise<string> {
    const response = await this.open(url);
    const location = redirectOf(response);
    if (location === null) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
    return new URL(location, url).href;
  }

  /** Begins at `url`, logs in at the provider, agrees, and answers where the provider sends the browser back to. */
  async authorize(url: string, login: string): Promise<string> {
    let response = await this.open(url);
    let here = url;
    for (let step = 0; step < 20; step++) {
      const location = redirectOf(response);
      if (location !== null) {
        here = new URL(location, here).href;
        if (new URL(here).pathname === '/api/auth/openid/callback') return here;
        response = await this.open(here);
        continue;
      }
      const page = await response.text();
      const [, action] = /action="([^"]+)"/.exec(page) ?? [];
      const [, prompt] = /name="prompt" value="(\w+)"/.exec(page) ?? [];
      if (!action || !prompt) throw new Error(`${here} answers ${response.status}: ${page}`);
      here = new URL(action, here).href;
      response = await this.open(here, prompt === 'login' ? { prompt, login, password: 'any' } : { prompt });
    }
    throw new Error(`The provider does not come to an end: ${here}`);
  }
}

/** As browsers see it: an address with another status leads nowhere. */
function redirectOf(response: Response): string | null {
  return [302, 303].includes(response.status) ? response.headers.get('location') : null;
}
