#!/usr/bin/env node
/** Deletes the onnxruntime binaries of other platforms: 288 MB become about 46. */
import { readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const bin = join(dirname(require.resolve('onnxruntime-node/package.json')), 'bin');
for (const napi of readdirSync(bin)) {
  for (const platform of readdirSync(join(bin, napi))) {
    for (const arch of readdirSync(join(bin, napi, platform))) {
      if (platform === process.platform && arch === process.arch) continue;
      rmSync(join(bin, napi, platform, arch), { recursive: true });
      process.stdout.write(`removed ${platform}-${arch}\n`);
    }
  }
}
