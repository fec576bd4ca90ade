import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type PlantedFault, PLANTED_FAULTS, TRANSPORT_NAMES, type TransportName } from './simulator/terms';

export interface Options {
  /** Empty: all of them. */
  scenarios: string[];
  quick: boolean;
  /** The 10,000,000 commands of `history`, too. */
  full: boolean;
  cpuProf: boolean;
  /** Of all agents. Without it, what has a bound for each transport is run over each, and everything else over SSE. */
  transport?: TransportName;
  faults: PlantedFault[];
  json?: string;
  svg?: string;
  /** Where pictures, figures and profiles go. */
  folder: string;
}

/** Throws an Error that says what is wrong. */
export function readOptions(args: string[], folder: string): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      'cpu-prof': { type: 'boolean', default: false },
      transport: { type: 'string' },
      // For the benchmark's own tests: it has to find what goes wrong.
      'plant-fault': { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      svg: { type: 'string' },
    },
  });
  return {
    scenarios: positionals,
    quick: values.quick,
    full: values.full,
    cpuProf: values['cpu-prof'],
    faults: values['plant-fault'].map((fault) => oneOf('--plant-fault', fault, PLANTED_FAULTS)),
    ...(values.transport !== undefined && { transport: oneOf('--transport', values.transport, TRANSPORT_NAMES) }),
    ...(values.json !== undefined && { json: resolve(values.json) }),
    ...(values.svg !== undefined && { svg: resolve(values.svg) }),
    folder,
  };
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((word) => word === value);
  if (!found) throw new Error(`${name} is ${known.join(' or ')}, not ${value}`);
  return found;
}
