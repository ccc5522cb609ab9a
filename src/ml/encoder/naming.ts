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
];

/** Applied in order; none of the new names holds an old one. */
const RENAMINGS: Readonly<Record<Family, Renaming>> = {
  bert: [],
  roberta: [],
  distilbert: DISTILBERT,
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
  return [own, `${config.family}.${own}`];
}
