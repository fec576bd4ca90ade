# The server: api, gateway and worker by ROLES, and the console. Build from the root: docker build -f deploy/docker/server.Dockerfile .
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc* ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npx nest build api && npx ng build && npm run build:agent && npm prune --omit=dev --no-audit --no-fund && rm -rf node_modules/node-linux-*

FROM node:24-bookworm-slim
ENV NODE_ENV=production PORT=3000 ARTIFACTS_DIR=/data/artifacts AUDIT_KEY_FILE=/data/audit-key.pem
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist/apps/api ./dist/apps/api
COPY --from=build /src/dist/apps/admin ./dist/apps/admin
COPY --from=build /src/dist/agent ./dist/agent
RUN install -d -o node -g node /data
USER node
VOLUME /data
EXPOSE 3000
# It lives when it answers; whether its parts do is for /health/ready, and no reason to end it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=40s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The flag: tools/start/server-program.ts tells why.
CMD ["node", "--max-semi-space-size=16", "dist/apps/api/main.js"]
