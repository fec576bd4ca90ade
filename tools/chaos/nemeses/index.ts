import { BACKEND_NEMESES } from './backends';
import { NETWORK_NEMESES } from './network';
import type { Nemesis } from './nemesis';
import { PROCESS_NEMESES } from './processes';

export const NEMESES: readonly Nemesis[] = [...PROCESS_NEMESES, ...BACKEND_NEMESES, ...NETWORK_NEMESES];
