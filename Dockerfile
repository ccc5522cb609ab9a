# The same commands as README's: npm ci, build, run. Nothing foreign stays in the image.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev \
  && node scripts/prune-onnxruntime.mjs

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=node:node /app ./
USER node
EXPOSE 8083
VOLUME ["/app/.stepwell"]
# A container must listen on all addresses; without configured access keys serve refuses that on purpose.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve", "--host", "0.0.0.0"]
