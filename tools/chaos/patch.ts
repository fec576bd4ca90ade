/** A change of one place of the source; `search` must be there exactly once, so that no patch can rot. */
export interface Patch {
  /** From the project's folder. */
  file: string;
  search: string;
  replace: string;
}
