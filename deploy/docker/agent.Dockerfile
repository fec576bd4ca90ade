# The agent, for a machine whose work is done in containers. Build from the root: docker build -f deploy/docker/agent.Dockerfile .
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc* ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npx nest build agent && npm prune --omit=dev --no-audit --no-fund && rm -rf node_modules/node-linux-*

FROM node:24-bookworm-slim
ENV NODE_ENV=production AGENT_DATA_DIR=/data
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist/apps/agent ./dist/apps/agent
RUN install -d -o node -g node /data
USER node
# The journal: what it knows of commands that it has begun. It has to outlive the container.
VOLUME /data
CMD ["node", "dist/apps/agent/main.js"]
