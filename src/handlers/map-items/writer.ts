/**
 * ResultWriter: files under `<Prefix>/<map run id>/`, streamed. To S3 in parts of a multipart upload,
 * small files in one request; to a folder as plain files.
 */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { GuardedFiles } from '../handler.js';
import { s3Cause, writerFailed } from './failures.js';
import { actionOf } from './reader.js';
import type { S3 } from './s3.js';

export interface ResultFile {
  write(text: string): Promise<void>;
  close(): Promise<{ readonly key: string; readonly bytes: number }>;
}

export interface ResultFolder {
  readonly destination: string;
  create(name: string): Promise<ResultFile>;
  details(manifestKey: string): JsonObject;
}

/** S3 wants at least 5 MiB a part and takes 10,000 of them. */
const PART_BYTES = 16 * 1024 * 1024;

export async function resultFolder(
  writer: { readonly resource: string; readonly parameters: Json },
  id: string,
  world: { readonly s3: S3; readonly files: GuardedFiles },
): Promise<ResultFolder> {
  const parameters = isObject(writer.parameters) ? writer.parameters : {};
  switch (actionOf(writer.resource)) {
    case 's3:putObject': {
      const bucket = text(parameters, 'Bucket');
      const prefix = getOwn(parameters, 'Prefix');
      const under = typeof prefix === 'string' && prefix !== '' ? prefix.replace(/\/*$/, '/') : '';
      return {
        destination: bucket,
        create: async (name) => s3File(world.s3, bucket, `${under}${id}/${name}`),
        details: (manifestKey) => ({ Bucket: bucket, Key: manifestKey }),
      };
    }
    case 'file:write': {
      const folder = join(text(parameters, 'Path'), id);
      return {
        destination: folder,
        create: (name) => localFile(world.files, join(folder, name)),
        details: (manifestKey) => ({ Path: manifestKey }),
      };
    }
    default:
      throw writerFailed(
        `ResultWriter cannot use ${writer.resource}: expected arn:aws:states:::s3:putObject or file:write.`,
      );
  }
}

function text(parameters: JsonObject, name: string): string {
  const value = getOwn(parameters, name);
  if (typeof value === 'string' && value !== '') return value;
  throw writerFailed(`The parameter ${name} must be a text that is not empty.`);
}

async function localFile(files: GuardedFiles, name: string): Promise<ResultFile> {
  let path: string;
  try {
    path = await files.resolveWritable(name);
    await mkdir(join(path, '..'), { recursive: true });
  } catch (error) {
    throw writerFailed(s3Cause(error));
  }
  const stream = createWriteStream(path);
  let broken: Error | null = null;
  stream.on('error', (error) => {
    broken = error;
  });
  // One listener for all who wait: one for each write would stay until the file is closed.
  let room: { readonly promise: Promise<void>; readonly open: () => void } | null = null;
  const hasRoom = (): void => {
    room?.open();
    room = null;
  };
  stream.on('drain', hasRoom).on('close', hasRoom);
  const forRoom = (): Promise<void> => {
    if (stream.closed) return Promise.resolve();
    if (room === null) {
      let open = (): void => {};
      const promise = new Promise<void>((resolve) => {
        open = resolve;
      });
      room = { promise, open };
    }
    return room.promise;
  };
  let bytes = 0;
  const check = (): void => {
    if (broken !== null) throw writerFailed(broken.message);
  };
  return {
    write: async (content) => {
      check();
      bytes += Buffer.byteLength(content);
      if (!stream.write(content)) await forRoom();
      check();
    },
    close: async () => {
      stream.end();
      if (!stream.closed) await once(stream, 'close');
      check();
      return { key: name, bytes };
    },
  };
}

function s3File(s3: S3, bucket: string, key: string): ResultFile {
  let pieces: Buffer[] = [];
  let held = 0;
  let bytes = 0;
  let upload: {
    readonly id: string;
    readonly parts: { ETag: string; PartNumber: number }[];
  } | null = null;
  const take = (): Buffer => {
    const body = Buffer.concat(pieces);
    pieces = [];
    held = 0;
    return body;
  };
  const sendPart = async (): Promise<void> => {
    const { CreateMultipartUploadCommand, UploadPartCommand } = await import('@aws-sdk/client-s3');
    const client = await s3();
    if (upload === null) {
      const begun = await client.send(
        new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ContentType: JSON_TYPE }),
      );
      upload = { id: begun.UploadId ?? '', parts: [] };
    }
    const PartNumber = upload.parts.length + 1;
    const where = { Bucket: bucket, Key: key, UploadId: upload.id, PartNumber };
    const sent = await client.send(new UploadPartCommand({ ...where, Body: take() }));
    upload.parts.push({ ETag: sent.ETag ?? '', PartNumber });
  };
  const finish = async (): Promise<void> => {
    const { CompleteMultipartUploadCommand, PutObjectCommand } = await import('@aws-sdk/client-s3');
    const client = await s3();
    if (upload === null) {
      const object = { Bucket: bucket, Key: key, ContentType: JSON_TYPE };
      await client.send(new PutObjectCommand({ ...object, Body: take() }));
      return;
    }
    if (held > 0) await sendPart();
    const { id: UploadId, parts: Parts } = upload;
    const where = { Bucket: bucket, Key: key, UploadId };
    await client.send(new CompleteMultipartUploadCommand({ ...where, MultipartUpload: { Parts } }));
  };
  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      throw writerFailed(s3Cause(error));
    }
  };
  return {
    write: async (content) => {
      const piece = Buffer.from(content);
      pieces.push(piece);
      held += piece.length;
      bytes += piece.length;
      if (held >= PART_BYTES) await guarded(sendPart);
    },
    close: async () => {
      await guarded(finish);
      return { key, bytes };
    },
  };
}

const JSON_TYPE = 'application/json';
