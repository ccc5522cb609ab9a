/**
 * The key that signs notifications, made once and kept (a new key would void messages still under
 * way), with the self-signed X.509 certificate that stock SNS verifiers fetch from SigningCertURL.
 */
import { createSign, generateKeyPair, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { sha256 } from '../lib/digest.js';
import type { Config } from './config/config.js';

export interface SigningKey {
  readonly privateKey: string;
  /** PEM; to be served as `fileName` where SigningCertURL points. */
  readonly certificate: string;
  readonly fileName: string;
}

const KEY_BITS = 2_048;
const VALID_YEARS = 30;

/** Reads the key of this installation, or makes it. */
export async function loadSigningKey(config: Pick<Config, 'stateFolder'>): Promise<SigningKey> {
  const path = join(config.stateFolder, 'sns', 'signing.pem');
  const text = await readFile(path, 'utf8').catch(() => createKeyFile(path));
  const cut = text.indexOf('-----BEGIN CERTIFICATE-----');
  const certificate = text.slice(cut);
  return {
    privateKey: text.slice(0, cut),
    certificate,
    fileName: `SimpleNotificationService-${sha256(certificate).slice(0, 32)}.pem`,
  };
}

/** Key and certificate in one file, put in place at once: of two processes the first one wins. */
async function createKeyFile(path: string): Promise<string> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: KEY_BITS,
  });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const temporary = `${path}.${randomUUID()}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, pem + selfSigned(publicKey, privateKey), { mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return readFile(path, 'utf8');
}

function selfSigned(publicKey: KeyObject, privateKey: KeyObject): string {
  const algorithm = sequence(oid(SHA256_WITH_RSA), der(0x05, Buffer.alloc(0)));
  const commonName = sequence(oid(COMMON_NAME), der(0x0c, Buffer.from('Stepwell SNS')));
  const name = sequence(der(0x31, commonName));
  const from = new Date();
  const until = new Date(from);
  until.setUTCFullYear(from.getUTCFullYear() + VALID_YEARS);
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = createSign('RSA-SHA256').update(body).sign(privateKey);
  const bits = der(0x03, Buffer.concat([Buffer.from([0]), signature]));
  const lines =
    sequence(body, algorithm, bits)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const SHA256_WITH_RSA = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const COMMON_NAME = [0x55, 0x04, 0x03];

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const long = length < 0x80 ? [length] : lengthBytes(length);
  return Buffer.concat([Buffer.from([tag, ...long]), content]);
}

function lengthBytes(length: number): number[] {
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>= 8) bytes.unshift(rest & 0xff);
  return [0x80 | bytes.length, ...bytes];
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function integer(value: Buffer): Buffer {
  return der(0x02, value);
}

function oid(bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

/** GeneralizedTime: good beyond 2049. */
function time(date: Date): Buffer {
  const text = `${date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return der(0x18, Buffer.from(text));
}
