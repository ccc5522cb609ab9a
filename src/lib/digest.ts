/** SHA-256 over text, and the chain that makes a changed journal visible. */
import { createHash, hash } from 'node:crypto';
import type { Digest } from './brand.js';

export function sha256(text: string | Uint8Array): string {
  return hash('sha256', text);
}

/** Digest of a commit: the digest before it and the stored text of its facts. */
export function chainDigest(previous: Digest, commitText: string): Digest {
  return sha256(`${previous}\n${commitText}`) as Digest;
}

export const EMPTY_DIGEST = sha256('') as Digest;

export const HASH_ALGORITHMS = ['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const;
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number];

/** Hex digest of the UTF-8 bytes of a text, by the names ASL gives the algorithms. */
export function hashText(text: string, algorithm: HashAlgorithm): string {
  return createHash(algorithm.replace('-', '').toLowerCase()).update(text, 'utf8').digest('hex');
}
