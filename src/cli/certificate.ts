/** Serves the certificate that subscribers check notifications with, where SigningCertURL points to. */
import type { RequestListener } from 'node:http';
import type { Config } from '../handlers/config/config.js';
import { loadSigningKey } from '../handlers/sns-certificate.js';

export const CERTIFICATE_PATH = '/sns/';

export function withCertificate(config: Config, next: RequestListener): RequestListener {
  return (request, response) => {
    const path = request.url ?? '/';
    if (!path.startsWith(CERTIFICATE_PATH)) return next(request, response);
    loadSigningKey(config).then(
      ({ certificate, fileName }) => {
        const known = request.method === 'GET' && path === `${CERTIFICATE_PATH}${fileName}`;
        response.writeHead(known ? 200 : 404, { 'content-type': 'application/x-pem-file' });
        response.end(known ? certificate : '');
      },
      () => response.writeHead(500).end(),
    );
  };
}
