export * from './actions';
export * from './permissions';
export * from './states';
export * from './wire';
