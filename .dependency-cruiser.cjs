/** Who may import whom. `contracts <- core <- audit <- identity <- rbac <- clients <- commands <- alerts <- operations`: a module imports only leftwards. */
const ranks = ['core', 'audit', 'identity', 'rbac', 'clients', 'commands', 'alerts', 'operations'];
const leftwards = ranks.slice(0, -1).map((name, index) => ({
  name: `${name}-imports-leftwards`,
  severity: 'error',
  from: { path: `^apps/api/src/${name}/` },
  to: { path: `^apps/api/src/(${ranks.slice(index + 1).join('|')})/` },
}));
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'contracts-import-nothing', severity: 'error', from: { path: '^libs/contracts' }, to: { pathNot: '^libs/contracts' } },
    { name: 'agent-imports-contracts-only', severity: 'error', from: { path: '^apps/agent' }, to: { path: '^(apps/(api|admin)|tools)/' } },
    { name: 'admin-imports-contracts-only', severity: 'error', from: { path: '^apps/admin' }, to: { path: '^(apps/(api|agent)|libs/tracing|tools)/' } },
    {
      name: 'admin-knows-no-server-packages',
      comment: 'Types of the backend do not reach the console either; what travels is in libs/contracts and core/http/wire.ts',
      severity: 'error',
      from: { path: '^apps/admin', pathNot: '\\.spec\\.ts$' },
      to: { path: 'node_modules/(@nestjs|fastify|@fastify|typeorm|bull|pg)/|^(node:)?(fs|path|crypto|http|os)$' },
    },
    {
      name: 'features-stand-alone',
      comment: 'What two features need belongs in core (services) or shared (dumb parts)',
      severity: 'error',
      from: { path: '^apps/admin/src/app/features/([^/]+)/' },
      to: { path: '^apps/admin/src/app/features/', pathNot: '^apps/admin/src/app/features/$1/' },
    },
    {
      name: 'core-and-shared-know-no-feature',
      severity: 'error',
      from: { path: '^apps/admin/src/app/(core|shared)/' },
      to: { path: '^apps/admin/src/app/features/' },
    },
    {
      name: 'core-knows-no-shared-part',
      severity: 'error',
      from: { path: '^apps/admin/src/app/core/' },
      to: { path: '^apps/admin/src/app/shared/' },
    },
    {
      name: 'only-the-public-face',
      comment: 'Outside a module, only its *.module.ts, *.service.ts and *.entity.ts may be imported',
      severity: 'error',
      from: { path: '^apps/api/src/([^/]+)/' },
      to: { path: '^apps/api/src/(audit|identity|rbac|clients|commands|alerts|operations)/', pathNot: ['^apps/api/src/$1/', '\\.(module|service|entity)\\.ts$'] },
    },
    ...leftwards,
  ],
  options: { tsConfig: { fileName: 'tsconfig.json' }, tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
};
