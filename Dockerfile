# The image of every process: `docker run IMAGE PROCESS`, compiled JavaScript under Node 24, as a user without rights,
# with production packages only. What only `npm start` and tests need (a second Node, PostgreSQL, the compiler) are
# development packages. Packages' install scripts stay off in both stages: argon2 and bcrypt carry their binaries.
# Build: `docker build -t authfleet .`; configuration is in docs/configuration.md, a whole system in docker-compose.yml.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY stack stack
RUN npm run build

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && node -e 'require("argon2").hash("the binary for this platform is there").then(() => require("bcrypt").hash("so is the other", 4))'

FROM node:24-bookworm-slim
# A release adds its version, commit and time (tools/release/image.ts).
LABEL org.opencontainers.image.title="authfleet" \
      org.opencontainers.image.description="An auth service as a fleet of stateless workers behind Kafka request/reply topics." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
ENV NODE_ENV=production
# A young generation and malloc arenas of bounded size: without them a worker under a flood of hostile batches grows by
# 160 MiB and keeps it, with them by 90 (test/long/fuzz).
ENV NODE_OPTIONS=--max-semi-space-size=16 MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE ./
# docs, schemas and lists are for people: whatever the documents name is here.
COPY docs docs
COPY lists lists
COPY proto proto
COPY schemas schemas
COPY templates templates
COPY migrations migrations
RUN printf '#!/bin/sh\nexec node /app/dist/src/main.js ctl "$@"\n' > /usr/local/bin/authctl && chmod 755 /usr/local/bin/authctl
COPY --from=build /app/dist dist
# The user node, by its numbers: Kubernetes's runAsNonRoot takes no name for an answer.
USER 1000:1000
EXPOSE 50051 8080
# Whether a restart would help. Whether it should get work is /readyz: an orchestrator asks there.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.AUTH_HTTP_PORT || 8080}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No shell and no npm before it: the process itself gets the signals.
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["help"]
