/** Who may import whom. `contracts <- core <- audit <- identity <- clients <- commands`: a module imports only leftwards. */
const ranks = ['core', 'audit', 'identity', 'rbac', 'clients', 'commands'];
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
    {
      name: 'only-the-public-face',
      comment: 'Outside a module, only its *.module.ts, *.service.ts and *.entity.ts may be imported',
      severity: 'error',
      from: { path: '^apps/api/src/([^/]+)/' },
      to: { path: '^apps/api/src/(audit|identity|rbac|clients|commands)/', pathNot: ['^apps/api/src/$1/', '\\.(module|service|entity)\\.ts$'] },
    },
    ...leftwards,
  ],
  options: { tsConfig: { fileName: 'tsconfig.json' }, tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
};
