import { join } from 'node:path';
import { type Api, Refused } from './api';
import { recall, remember } from './folder';

export const TOKEN_FILE = 'token';

/**
 * Gives the launcher, and the commands that it prints, a personal access token of the first admin, kept in the data folder. It outlives
 * a changed password. False when there is none and the password is not the one that is known here.
 */
export async function gainAccess(api: Api, email: string, password: string, folder: string): Promise<boolean> {
  const kept = recall(join(folder, TOKEN_FILE));
  // The token may belong to another database, which DATABASE_URL named at an earlier start.
  if (kept && (await api.accepts(kept))) {
    api.token = kept;
    return true;
  }
  try {
    api.token = (await api.call<{ accessToken: string }>('POST', '/api/auth/login', { email, password })).accessToken;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return false;
    throw error;
  }
  api.token = (await api.call<{ token: string }>('POST', '/api/auth/tokens', { name: 'npm start' })).token;
  remember(join(folder, TOKEN_FILE), api.token);
  return true;
}
