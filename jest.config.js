/** Unit tests stand beside the code; journeys run on real PostgreSQL and Redis, started by the global set-up. */
const swc = {
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
  module: { type: 'commonjs' },
};
module.exports = {
  rootDir: __dirname,
  testEnvironment: 'node',
  testMatch: ['<rootDir>/apps/{api,agent}/**/*.spec.ts', '<rootDir>/libs/**/*.spec.ts', '<rootDir>/tools/**/*.spec.ts'],
  transform: { '^.+\\.(ts|js)$': ['@swc/jest', swc] },
  // These come as ES modules only, which Node can require and Jest cannot.
  transformIgnorePatterns: ['/node_modules/(?!(.*/)?(openid-client|oauth4webapi|jose|@scure/base|@noble/hashes)/)'],
  moduleNameMapper: { '^@gwanje/contracts$': '<rootDir>/libs/contracts/src/index.ts' },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  globalSetup: '<rootDir>/tools/jest/global-setup.ts',
  globalTeardown: '<rootDir>/tools/jest/global-teardown.ts',
  testTimeout: 30000,
  maxWorkers: 2,
  // Bull keeps a blocking connection open for a while after its queue is closed.
  forceExit: true,
};
