export * from './action-definition';
export * from './actions';
export * from './permissions';
export * from './states';
export * from './wire';
