/**
 * Parameter names of the Hugging Face families against the canonical (BERT) ones. A file may carry
 * a prefix such as `bert.` or `distilbert.` in front of every name.
 */
import type { EncoderConfig, Family } from './config.js';

type Renaming = readonly (readonly [canonical: string, own: string])[];

const DISTILBERT: Renaming = [
  ['encoder.layer.', 'transformer.layer.'],
  ['attention.self.query', 'attention.q_lin'],
  ['attention.self.key', 'attention.k_lin'],
  ['attention.self.value', 'attention.v_lin'],
  ['attention.output.dense', 'attention.out_lin'],
  ['attention.output.LayerNorm', 'sa_layer_norm'],
  ['intermediate.dense', 'ffn.lin1'],
  ['output.dense', 'ffn.lin2'],
  ['output.LayerNorm', 'output_layer_norm'],
  ['pooler.dense', 'pre_classifier'],
];

const ROBERTA: Renaming = [
  ['classifier.', 'classifier.out_proj.'],
  ['pooler.dense', 'classifier.dense'],
];

const VIT: Renaming = [
  ['embeddings.patch.', 'embeddings.patch_embeddings.projection.'],
  ['embeddings.position_embeddings.weight', 'embeddings.position_embeddings'],
  ['attention.self.', 'attention.attention.'],
  ['before.LayerNorm', 'layernorm_before'],
  ['after.LayerNorm', 'layernorm_after'],
  ['final.LayerNorm', 'layernorm'],
];

/** Applied in order; none of the new names holds an old one. */
const RENAMINGS: Readonly<Record<Family, Renaming>> = {
  bert: [],
  roberta: ROBERTA,
  distilbert: DISTILBERT,
  vit: VIT,
  frozen: [],
};

/** The name of a canonical parameter in a file of the family, without prefix. */
export function familyName(config: EncoderConfig, canonical: string): string {
  const rename = (name: string, [from, to]: readonly [string, string]): string =>
    name.replace(from, to);
  return RENAMINGS[config.family].reduce(rename, canonical);
}

/** Every name under which a file may hold the parameter, most likely first. */
export function candidateNames(config: EncoderConfig, canonical: string): string[] {
  const own = familyName(config, canonical);
  const names = [own, `${config.family}.${own}`];
  // Files that were converted from TensorFlow, bert-base-uncased among them, keep its names.
  const old = own
    .replace('LayerNorm.weight', 'LayerNorm.gamma')
    .replace('LayerNorm.bias', 'LayerNorm.beta');
  return old === own ? names : [...names, old, `${config.family}.${old}`];
}
