/** Milliseconds on CLOCK_MONOTONIC, which every process of this machine shares: a moment noted in one may be subtracted in another. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
