import { version } from '../../../package.json';

/** What the agent says of itself when it opens a session, as in package.json. */
export const VERSION: string = version;
