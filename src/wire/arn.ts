/**
 * The ARNs of Step Functions: parsed once at the edge, formatted only here. A machine ARN may carry
 * a version or alias (`:7`, `:live`), a Distributed Map's label (`/label`) and Step Functions
 * Local's test case (`#Case`).
 */

export interface ArnScope {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

export type ParsedArn = { readonly scope: ArnScope } & (
  | {
      readonly kind: 'stateMachine';
      readonly name: string;
      readonly label: string | null;
      readonly qualifier: string | null;
      readonly testCase: string | null;
    }
  | {
      readonly kind: 'execution';
      readonly machine: string;
      readonly label: string | null;
      readonly name: string;
    }
  | {
      readonly kind: 'express';
      readonly machine: string;
      readonly label: string | null;
      readonly name: string;
      readonly id: string;
    }
  | { readonly kind: 'activity'; readonly name: string }
  | {
      readonly kind: 'mapRun';
      readonly machine: string;
      readonly label: string | null;
      readonly id: string;
    }
);
export type ArnKind = ParsedArn['kind'];
export type ArnOf<K extends ArnKind> = Extract<ParsedArn, { kind: K }>;

/** Null when the text is no ARN of Step Functions; the caller words the error. */
export function parseArn(text: string): ParsedArn | null {
  const [head, partition, service, region, account, type, ...rest] = text.split(':');
  if (head !== 'arn' || service !== 'states' || type === undefined) return null;
  if (!partition || !region || !account || rest.length === 0 || rest.includes('')) return null;
  const scope = { partition, region, account };
  const [first = '', second, third] = rest;
  const [machine, label] = splitLabel(first);
  if (machine === '') return null;
  switch (type) {
    case 'stateMachine':
      return rest.length > 2 ? null : { scope, kind: type, ...splitTestCase(rest) };
    case 'execution':
      if (rest.length !== 2) return null;
      return { scope, kind: type, machine, label, name: second as string };
    case 'express':
      if (rest.length !== 3) return null;
      return { scope, kind: type, machine, label, name: second as string, id: third as string };
    case 'activity':
      return rest.length === 1 ? { scope, kind: type, name: first } : null;
    case 'mapRun':
      return rest.length === 2 ? { scope, kind: type, machine, label, id: second as string } : null;
    default:
      return null;
  }
}

/** The sixth part of an ARN of this service: `express`, `activity`, …; null when there is none. */
export function arnType(text: string): string | null {
  const parts = text.split(':');
  return parts[0] === 'arn' && parts[2] === 'states' ? (parts[5] ?? null) : null;
}

export function machineArn(scope: ArnScope, name: string): string {
  return `${prefix(scope)}:stateMachine:${name}`;
}

export function labelledMachineArn(machine: string, label: string): string {
  return `${machine}/${label}`;
}

export function versionArn(machine: string, version: number): string {
  return `${machine}:${version}`;
}

export function aliasArn(machine: string, name: string): string {
  return `${machine}:${name}`;
}

export function executionArn(scope: ArnScope, machine: string, name: string): string {
  return `${prefix(scope)}:execution:${machine}:${name}`;
}

export function expressArn(scope: ArnScope, machine: string, name: string, id: string): string {
  return `${prefix(scope)}:express:${machine}:${name}:${id}`;
}

export function activityArn(scope: ArnScope, name: string): string {
  return `${prefix(scope)}:activity:${name}`;
}

export function mapRunArn(scope: ArnScope, machine: string, label: string, id: string): string {
  return `${prefix(scope)}:mapRun:${machine}/${label}:${id}`;
}

function prefix(scope: ArnScope): string {
  return `arn:${scope.partition}:states:${scope.region}:${scope.account}`;
}

function splitLabel(text: string): readonly [string, string | null] {
  const slash = text.indexOf('/');
  return slash < 0 ? [text, null] : [text.slice(0, slash), text.slice(slash + 1)];
}

function splitTestCase(rest: readonly string[]) {
  const last = rest.at(-1) as string;
  const hash = last.indexOf('#');
  const testCase = hash < 0 ? null : last.slice(hash + 1);
  const plain = [...rest.slice(0, -1), hash < 0 ? last : last.slice(0, hash)];
  const [name, label] = splitLabel(plain[0] as string);
  return { name, label, qualifier: plain[1] ?? null, testCase };
}
