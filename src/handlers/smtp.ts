/** E-mail through the configured SMTP server. The server is the operator's choice, so no egress guard. */
import { createTransport } from 'nodemailer';
import type { SmtpConfig } from './config/config.js';
import { type ReadSecret, resolveSecret } from './secrets.js';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The same for a repeated delivery, so that a mail program shows it once. */
  readonly messageId: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `secret` reads the password when it is a reference. */
export type SendMail = (mail: Mail, secret: ReadSecret) => Promise<void>;

const TIMEOUT_MS = 15_000;

export function createMailer(smtp: SmtpConfig): SendMail {
  return async ({ to, subject, text, messageId, headers }, secret) => {
    const transport = createTransport({
      host: smtp.host,
      port: smtp.port,
      secure: smtp.secure,
      // A password never travels in clear text.
      requireTLS: smtp.password !== null && !smtp.secure,
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(smtp.user === null
        ? {}
        : { auth: { user: smtp.user, pass: resolveSecret(smtp.password ?? '', secret) } }),
    });
    try {
      await transport.sendMail({ from: smtp.from, to, subject, text, messageId, headers });
    } finally {
      transport.close();
    }
  };
}

/** SMTP answers 5xx for good and 4xx for now. */
export function isPermanentSmtpError(error: unknown): boolean {
  const { responseCode = 0 } = error as { responseCode?: number };
  return responseCode >= 500;
}
