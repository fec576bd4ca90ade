export * from './command-attributes';
export * from './settings';
export * from './tracing';
