export * from './action-definition';
export * from './actions';
export * from './audit';
export * from './permissions';
export * from './states';
export * from './wire';
