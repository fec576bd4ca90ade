import { version } from '../../../../package.json';

/** Of this program, as in package.json; server, agent and console are released together. */
export const VERSION: string = version;
