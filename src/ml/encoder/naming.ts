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

const RENAMINGS = {
  bert: [],
  roberta: [],
  distilbert: DISTILBERT,
} as const satisfies Record<Family, Renaming>;

/** The name of a canonical parameter in a file of the family, without prefix. */
export function familyName(config: EncoderConfig, canonical: string): string {
  for (const [from, to] of RENAMINGS[config.family]) {
    if (from.endsWith('.')) continue;
    const index = canonical.indexOf(`.${from}.`);
    if (index >= 0)
      return (
        layerPrefix(config, canonical.slice(0, index + 1)) +
        to +
        canonical.slice(index + 1 + from.length)
      );
  }
  return layerPrefix(config, canonical);
}

function layerPrefix(config: EncoderConfig, name: string): string {
  return config.family === 'distilbert'
    ? name.replace(/^encoder\.layer\./, 'transformer.layer.')
    : name;
}

/** Every name under which a file may hold the parameter, most likely first. */
export function candidateNames(config: EncoderConfig, canonical: string): string[] {
  const own = familyName(config, canonical);
  return [own, `${config.family}.${own}`];
}
