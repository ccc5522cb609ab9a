/** Names that must be unique or well formed in the whole machine: states and Map labels. */
import { getOwn } from '../../lib/json.js';
import { type Diagnostic, error, withHint } from '../diagnostic.js';
import { type ScopeSite, type StateSite, under } from './site.js';

/** AWS: characters of a state name. */
const MAX_STATE_NAME = 80;
/** AWS: characters of a label, which becomes part of ARNs. */
const MAX_LABEL = 40;
/** Recorded (map_labels): white space, wildcards, brackets, these signs and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const BAD_LABEL = /[\s?*<>{}[\]:;,\\|^~$#%&`"\u0000-\u001f\u007f-\u009f]/;

export function checkNames(scopes: readonly ScopeSite[]): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const states = new Set<string>();
  const labels = new Set<string>();
  for (const site of scopes.flatMap((scope) => scope.states)) {
    diagnostics.push(...checkStateName(site, states), ...checkLabel(site, labels));
  }
  return diagnostics;
}

function checkStateName(site: StateSite, seen: Set<string>): readonly Diagnostic[] {
  const { name, at } = site;
  if (seen.has(name)) {
    const hint = 'State names are unique in the whole machine, also inside Parallel and Map.';
    return [withHint(error('DUPLICATE_STATE_NAME', `Duplicate State name: ${name}`, at), hint)];
  }
  seen.add(name);
  if (name.length > 0 && [...name].length <= MAX_STATE_NAME) return [];
  const message = `State name must have between 1 and ${MAX_STATE_NAME} characters: ${name.slice(0, 200)}`;
  return [error('INVALID_STATE_NAME', message, at)];
}

function checkLabel(site: StateSite, seen: Set<string>): readonly Diagnostic[] {
  const label = site.type === 'Map' ? getOwn(site.state, 'Label') : undefined;
  if (typeof label !== 'string') return [];
  const at = under(site.at, 'Label');
  if (seen.has(label)) return [error('DUPLICATE_LABEL_NAME', `Duplicate label: ${label}`, at)];
  seen.add(label);
  const length = [...label].length;
  if (length > 0 && length <= MAX_LABEL && !BAD_LABEL.test(label)) return [];
  const hint = `A label has 1 to ${MAX_LABEL} characters, no white space and none of ? * < > { } [ ] : ; , \\ | ^ ~ $ # % & \` ".`;
  return [withHint(error('INVALID_LABEL_NAME', `Invalid label name: ${label}`, at), hint)];
}
