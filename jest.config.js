/** Unit tests stand beside the code; journeys run on real PostgreSQL and Redis, started by the global set-up. */
const swc = require('./tools/jest/swc.cjs');

module.exports = {
  rootDir: __dirname,
  testEnvironment: 'node',
  testMatch: ['<rootDir>/apps/{api,agent}/**/*.spec.ts', '<rootDir>/libs/**/*.spec.ts', '<rootDir>/tools/**/*.spec.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: { '^@gwanje/contracts$': '<rootDir>/libs/contracts/src/index.ts' },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  globalSetup: '<rootDir>/tools/jest/global-setup.ts',
  globalTeardown: '<rootDir>/tools/jest/global-teardown.ts',
  testTimeout: 30000,
  maxWorkers: 2,
};
