/**
 * Model cards in the shape of SageMaker's model card content (snake_case sections): what must be
 * filled in before a card may be approved, a first draft from what the registry knows, and Markdown.
 */
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { ModelVersion } from './model-version.js';

/** SageMaker's ModelCardStatus. */
export type CardStatus = 'Draft' | 'PendingReview' | 'Approved' | 'Archived';
export const CARD_STATUSES: readonly CardStatus[] = [
  'Draft',
  'PendingReview',
  'Approved',
  'Archived',
];

/** Fields without which nobody can tell what a model is for, where it comes from and how good it is. */
export const REQUIRED_FIELDS: readonly string[] = [
  'model_overview.model_description',
  'model_overview.model_owner',
  'model_overview.problem_type',
  'intended_uses.purpose_of_model',
  'intended_uses.intended_uses',
  'intended_uses.risk_rating',
  'training_details.training_job_details.training_datasets',
  'evaluation_details.0.metric_groups.0.metric_data',
  'additional_information.caveats_and_recommendations',
];

/** The required fields that are absent, blank or empty lists. */
export function emptyFields(content: JsonObject): string[] {
  return REQUIRED_FIELDS.filter((path) => isEmpty(valueAt(content, path)));
}

function valueAt(content: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = content;
  for (const key of path.split('.')) {
    if (isArray(value)) value = value[Number(key)];
    else if (isObject(value) && Object.hasOwn(value, key)) value = value[key];
    else return undefined;
  }
  return value;
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'string') return value.trim() === '';
  if (isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** A draft with all that the registration says; `more` (what only people know) wins, section by section. */
export function draftCard(version: ModelVersion, more: JsonObject = {}): JsonObject {
  const { lineage, metrics, parameters } = version;
  const numbers = Object.entries(metrics).filter(([, value]) => typeof value === 'number');
  const datasets = [lineage.dataVersion, lineage.dataset].filter(
    (value) => typeof value === 'string',
  );
  const draft: JsonObject = {
    model_overview: {
      model_name: version.name,
      model_version: version.version,
      model_artifact: [version.uri],
      ...(typeof lineage.baseModel === 'string' ? { algorithm_type: lineage.baseModel } : {}),
    },
    intended_uses: {},
    training_details: {
      training_job_details: {
        training_arn: typeof lineage.executionArn === 'string' ? lineage.executionArn : '',
        training_datasets: datasets,
        hyper_parameters: Object.entries(parameters).map(([name, value]) => ({
          name,
          value: typeof value === 'string' ? value : JSON.stringify(value),
        })),
      },
    },
    evaluation_details: [
      {
        name: 'registration',
        metric_groups: [
          {
            name: 'quality',
            metric_data: numbers.map(([name, value]) => ({ name, type: 'number', value })),
          },
        ],
      },
    ],
    additional_information: {},
  };
  return merged(draft, more);
}

function merged(base: JsonObject, more: JsonObject): JsonObject {
  const entries = new Map<string, Json>(Object.entries(base));
  for (const [key, value] of Object.entries(more)) {
    const before = entries.get(key);
    entries.set(key, isObject(value) && isObject(before) ? merged(before, value) : value);
  }
  return Object.fromEntries(entries) as JsonObject;
}

/** The card for people: one heading a section, one line a field; empty required fields are named. */
export function cardMarkdown(version: ModelVersion): string {
  const { card } = version;
  const lines = [`# ${version.name} ${version.version}`, ''];
  lines.push(`Status: ${card?.status ?? 'no card'} · stage ${version.stage} · ${version.approval}`);
  const content = card?.content ?? {};
  for (const [section, value] of Object.entries(content)) {
    lines.push('', `## ${section.replaceAll('_', ' ')}`, '', ...fieldLines(value, ''));
  }
  const empty = emptyFields(content);
  if (empty.length > 0) lines.push('', '## still empty', '', ...empty.map((path) => `- ${path}`));
  return `${lines.join('\n')}\n`;
}

function fieldLines(value: Json, indent: string): string[] {
  if (isArray(value)) {
    return value.flatMap((item) =>
      isObject(item) ? fieldLines(item, indent) : [`${indent}- ${String(item)}`],
    );
  }
  if (!isObject(value)) return [`${indent}- ${String(value)}`];
  const named = Object.entries(value);
  if (typeof value.name === 'string' && Object.hasOwn(value, 'value')) {
    return [`${indent}- ${value.name}: ${String(value.value)}`];
  }
  return named.flatMap(([key, item]) =>
    typeof item === 'object' && item !== null
      ? [`${indent}- ${key.replaceAll('_', ' ')}:`, ...fieldLines(item, `${indent}  `)]
      : [`${indent}- ${key.replaceAll('_', ' ')}: ${String(item)}`],
  );
}
