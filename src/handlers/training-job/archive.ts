/**
 * A folder as `model.tar.gz`, the form in which SageMaker keeps models: POSIX ustar, names sorted, no
 * times and no owners, so that equal folders give equal bytes. Regular files and folders only.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TaskFailure } from '../handler.js';

const BLOCK = 512;
/** Archives are made in memory. */
const MAX_BYTES = 1024 * 1024 * 1024;

export async function tarGz(folder: string): Promise<Uint8Array> {
  const blocks: Buffer[] = [];
  let total = 0;
  for (const path of await filesBelow(folder, '')) {
    const content = await readFile(join(folder, path));
    total += content.length;
    if (total > MAX_BYTES) {
      throw new TaskFailure(
        'Training.ModelTooLarge',
        'The model is larger than 1 GiB; keep it as a folder ("modelFormat": "folder").',
      );
    }
    blocks.push(header(path, content.length), content);
    blocks.push(Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  blocks.push(Buffer.alloc(2 * BLOCK));
  return gzipSync(Buffer.concat(blocks), { level: 6 });
}

async function filesBelow(folder: string, prefix: string): Promise<string[]> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await filesBelow(folder, path)));
    else if (entry.isFile()) files.push(path);
    else throw new TaskFailure('Artifacts.Refused', `${path} is a link or device, no model file.`);
  }
  return files;
}

/** Field offsets and widths of POSIX.1-1988; a longer path goes into name and prefix. */
function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const [prefix, name] = splitPath(path);
  block.write(name, 0, 100, 'utf8');
  const octal = (value: number, at: number, width: number): void =>
    void block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, width, 'ascii');
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write('        ', 148, 8, 'ascii');
  block.write('0', 156, 1, 'ascii');
  block.write('ustar\x0000', 257, 8, 'latin1');
  block.write(prefix, 345, 155, 'utf8');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'ascii');
  return block;
}

function splitPath(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, name];
  }
  throw new TaskFailure('Artifacts.Refused', `The path ${path} is too long for a tar archive.`);
}
