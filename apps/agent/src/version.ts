/** What the agent says of itself when it opens a session. */
export const VERSION = '0.1.0';
