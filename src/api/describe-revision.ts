/** A revision as DescribeStateMachine and DescribeStateMachineForExecution show it. */
import { parseJson } from '../lib/jackson.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { WireObject } from '../wire/describe.js';
import { machineDoesNotExist } from '../wire/errors.js';
import type { ApiContext } from './context.js';
import type { Revision } from './machines.js';

/**
 * Without a configuration of its own. AWS began to show it in July 2024; all recordings of machines
 * that use what came after (JSONata, variables) have it, and none of the older kind does.
 */
const AWS_OWNED_KEY = { type: 'AWS_OWNED_KEY' };

/**
 * `label` asks for the child machine of a Distributed Map, `child` is its definition where that is
 * known (a generated label names no state); not `whole`, for metadata only.
 */
export function describeRevision(
  api: ApiContext,
  revision: Revision,
  label: string | null,
  whole: boolean,
  child: string | null = null,
): WireObject {
  const { text, definition } =
    child === null ? readDefinition(revision, label) : { text: child, definition: objectOf(child) };
  const references = api.definitions.variableReferences(definition);
  const encryption =
    revision.encryptionConfiguration ??
    (api.definitions.isSinceVariables(definition) ? AWS_OWNED_KEY : undefined);
  return {
    name: label === null ? revision.name : `${revision.name}/${label}`,
    definition: whole ? text : '',
    roleArn: revision.roleArn,
    loggingConfiguration: revision.loggingConfiguration as unknown as JsonObject,
    tracingConfiguration: revision.tracingConfiguration,
    label: label ?? undefined,
    revisionId: revision.revisionId ?? undefined,
    encryptionConfiguration: encryption as unknown as JsonObject | undefined,
    variableReferences:
      whole && Object.keys(references).length > 0 ? (references as JsonObject) : undefined,
  };
}

/** The machine's definition, or that of the Distributed Map state with this label. */
function readDefinition(
  revision: Revision,
  label: string | null,
): { readonly text: string; readonly definition: JsonObject } {
  const definition = objectOf(revision.definition);
  if (label === null) return { text: revision.definition, definition };
  const processor = findLabelled(definition, label);
  if (processor === null) throw machineDoesNotExist(`${revision.machineArn}/${label}`);
  return { text: JSON.stringify(processor), definition: processor };
}

function objectOf(text: string): JsonObject {
  const parsed = parseJson(text);
  return 'value' in parsed && isObject(parsed.value) ? parsed.value : {};
}

function findLabelled(value: Json, label: string): JsonObject | null {
  if (isArray(value)) return firstOf(value, label);
  if (!isObject(value)) return null;
  const processor = getOwn(value, 'ItemProcessor') ?? getOwn(value, 'Iterator');
  const labelled = getOwn(value, 'Type') === 'Map' && getOwn(value, 'Label') === label;
  if (labelled && isObject(processor)) return processor;
  return firstOf(Object.values(value), label);
}

function firstOf(values: readonly Json[], label: string): JsonObject | null {
  for (const value of values) {
    const found = findLabelled(value, label);
    if (found !== null) return found;
  }
  return null;
}
