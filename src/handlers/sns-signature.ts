/**
 * The SNS envelope and its signature, as AWS documents them: RSA PKCS#1 v1.5 over `Key\nValue\n`
 * lines in a fixed order; SHA-1 for SignatureVersion 1, SHA-256 for 2.
 */
import { createSign, createVerify, type KeyLike } from 'node:crypto';

export interface SnsEnvelope {
  readonly Type: 'Notification';
  readonly MessageId: string;
  readonly TopicArn: string;
  readonly Subject?: string;
  readonly Message: string;
  readonly Timestamp: string;
  readonly SignatureVersion: '1' | '2';
  readonly Signature: string;
  readonly SigningCertURL: string;
  readonly UnsubscribeURL: string;
  readonly MessageAttributes?: Readonly<
    Record<string, { readonly Type: string; readonly Value: string }>
  >;
}

export type UnsignedEnvelope = Omit<SnsEnvelope, 'Signature'>;

/** `Subject` is signed only when it is there. */
const SIGNED_KEYS = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'] as const;

export function signEnvelope(envelope: UnsignedEnvelope, privateKey: KeyLike): SnsEnvelope {
  const signer = createSign(algorithmOf(envelope.SignatureVersion));
  return { ...envelope, Signature: signer.update(textToSign(envelope)).sign(privateKey, 'base64') };
}

/** Whether the envelope was signed by the owner of `certificate` (PEM certificate or public key). */
export function verifyEnvelope(envelope: SnsEnvelope, certificate: KeyLike): boolean {
  if (envelope.SignatureVersion !== '1' && envelope.SignatureVersion !== '2') return false;
  const verifier = createVerify(algorithmOf(envelope.SignatureVersion));
  return verifier.update(textToSign(envelope)).verify(certificate, envelope.Signature, 'base64');
}

function algorithmOf(version: '1' | '2'): string {
  return version === '1' ? 'RSA-SHA1' : 'RSA-SHA256';
}

function textToSign(envelope: UnsignedEnvelope): string {
  return SIGNED_KEYS.flatMap((key) => {
    const value = envelope[key];
    return value === undefined ? [] : [`${key}\n${value}\n`];
  }).join('');
}
