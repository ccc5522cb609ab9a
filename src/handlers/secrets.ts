/**
 * Secrets by reference: a configuration value or header may say `secret://name`; the value is read
 * when it is used and never written to a fact, a log or an error.
 */
import { readFileSync } from 'node:fs';
import type { Config } from './config/config.js';
import { TaskFailure } from './handler.js';
import { didYouMean } from '../lib/suggest.js';

export type ReadSecret = (name: string) => string;

const REFERENCE = /^secret:\/\/(.+)$/;

export function createSecrets(
  config: Pick<Config, 'secrets'>,
  environment: NodeJS.ProcessEnv = process.env,
): ReadSecret {
  return (name) => {
    const source = config.secrets.get(name);
    if (source === undefined) {
      throw missing(
        `No secret "${name}" is configured.${didYouMean(name, config.secrets.keys())} ` +
          `Add "secrets": {"${name}": {"env": "${variableName(name)}"}} to stepwell.config.json.`,
      );
    }
    if (source.from === 'env') {
      const value = environment[source.variable];
      if (value !== undefined && value !== '') return value;
      throw missing(`The secret "${name}" needs the environment variable ${source.variable}.`);
    }
    try {
      return readFileSync(source.path, 'utf8').replace(/\r?\n$/, '');
    } catch {
      throw missing(`The secret "${name}" cannot be read from its configured file.`);
    }
  };
}

/** `text` itself, or the secret it refers to. */
export function resolveSecret(text: string, secret: ReadSecret): string {
  const name = REFERENCE.exec(text)?.[1];
  return name === undefined ? text : secret(name);
}

function missing(reason: string): TaskFailure {
  return new TaskFailure('Secrets.Missing', reason);
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_');
}
