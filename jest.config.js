const { createCjsPreset } = require('jest-preset-angular/presets');

/** Unit tests stand beside the code; journeys run on real PostgreSQL and Redis, started by the global set-up. */
const swc = require('./tools/jest/swc.cjs');

const libraries = { '^@gwanje/(contracts|tracing)$': '<rootDir>/libs/$1/src/index.ts' };

const server = {
  displayName: 'server',
  rootDir: __dirname,
  testEnvironment: 'node',
  testMatch: ['<rootDir>/apps/{api,agent}/**/*.spec.ts', '<rootDir>/libs/**/*.spec.ts', '<rootDir>/{tools,bench}/**/*.spec.ts'],
  transform: { '^.+\\.(ts|js)$': ['@swc/jest', swc] },
  // These come as ES modules only, which Node can require and Jest cannot.
  transformIgnorePatterns: ['/node_modules/(?!(.*/)?(openid-client|oauth4webapi|jose|@scure/base|@noble/hashes)/)'],
  moduleNameMapper: libraries,
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  setupFilesAfterEnv: ['<rootDir>/tools/jest/empty-redis.ts'],
  globalSetup: '<rootDir>/tools/jest/global-setup.ts',
  globalTeardown: '<rootDir>/tools/jest/global-teardown.ts',
};

const admin = {
  ...createCjsPreset({ tsconfig: '<rootDir>/apps/admin/tsconfig.json' }),
  displayName: 'admin',
  rootDir: __dirname,
  testMatch: ['<rootDir>/apps/admin/**/*.spec.ts'],
  setupFilesAfterEnv: ['<rootDir>/apps/admin/test-setup.ts'],
  moduleNameMapper: libraries,
  modulePathIgnorePatterns: ['<rootDir>/dist'],
};

module.exports = {
  projects: [server, admin],
  maxWorkers: 2,
  testTimeout: 30_000,
};
