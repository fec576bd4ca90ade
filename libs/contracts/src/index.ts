export * from './action-definition';
export * from './actions';
export * from './alerts';
export * from './audit';
export * from './permissions';
export * from './states';
export * from './wire';
