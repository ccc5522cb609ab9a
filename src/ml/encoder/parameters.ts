/**
 * The parameters of an encoder under their canonical (BERT) names. A linear layer's weight is kept
 * as [in, out], the layout that MatMul wants; torch files hold [out, in] and are turned at the edge.
 */
import type { FloatTensor } from '../onnx/tensor.js';
import { elementCount, floatTensor } from '../onnx/tensor.js';
import type { SeededRandom } from '../onnx/seeded-random.js';
import type { EncoderConfig } from './config.js';

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: 'embedding' | 'linear' | 'bias' | 'gain';
}

/** BERT's initializer_range. */
const INITIAL_DEVIATION = 0.02;

export const EMBEDDING_NORM = 'embeddings.LayerNorm';
/** A vision transformer normalises once more after its last layer. */
export const FINAL_NORM = 'final.LayerNorm';
export const CLASS_TOKEN = 'embeddings.cls_token';

/** All parameters of the encoder body, from the embeddings up. */
export function encoderParameters(config: EncoderConfig): ParameterSpec[] {
  if (config.family === 'frozen') return [];
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const isVision = config.image !== null;
  const specs = isVision ? imageEmbeddings(config) : textEmbeddings(config);
  for (let index = 0; index < config.layerCount; index++) {
    const layer = layerName(index);
    for (const role of ['query', 'key', 'value']) {
      specs.push(...linear(`${layer}.attention.self.${role}`, hidden, hidden));
    }
    specs.push(...linear(`${layer}.attention.output.dense`, hidden, hidden));
    specs.push(...norm(`${layer}.${isVision ? 'before' : 'attention.output'}.LayerNorm`, hidden));
    specs.push(...linear(`${layer}.intermediate.dense`, hidden, inner));
    specs.push(...linear(`${layer}.output.dense`, inner, hidden));
    specs.push(...norm(`${layer}.${isVision ? 'after' : 'output'}.LayerNorm`, hidden));
  }
  if (isVision) specs.push(...norm(FINAL_NORM, hidden));
  return specs;
}

function textEmbeddings(config: EncoderConfig): ParameterSpec[] {
  const { hiddenSize: hidden } = config;
  return [
    table('embeddings.word_embeddings', config.vocabularySize, hidden),
    table('embeddings.position_embeddings', config.positionCount, hidden),
    ...(config.tokenTypeCount > 0
      ? [table('embeddings.token_type_embeddings', config.tokenTypeCount, hidden)]
      : []),
    ...norm(EMBEDDING_NORM, hidden),
  ];
}

function imageEmbeddings(config: EncoderConfig): ParameterSpec[] {
  const { hiddenSize: hidden } = config;
  const { channels, patchSize } = config.image!;
  return [
    { name: CLASS_TOKEN, shape: [1, hidden], kind: 'embedding' },
    table('embeddings.position_embeddings', config.positionCount, hidden),
    ...linear('embeddings.patch', channels * patchSize ** 2, hidden),
  ];
}

/** The dense layer of the family's head, when the model has one. */
export const HEAD_DENSE = 'pooler.dense';

/** From the pooled vector to the labels. */
export function headParameters(config: EncoderConfig, labelCount: number): ParameterSpec[] {
  const { hiddenSize: hidden } = config;
  const dense = config.head === 'dense' ? linear(HEAD_DENSE, hidden, hidden) : [];
  return [...dense, ...linear('classifier', hidden, labelCount)];
}

/** BERT's masked-language-model head; its decoder is the word embedding table itself. */
export function maskedHeadParameters(config: EncoderConfig): ParameterSpec[] {
  return [
    ...linear('predictions.transform', config.hiddenSize, config.hiddenSize),
    ...norm('predictions.LayerNorm', config.hiddenSize),
    { name: 'predictions.bias', shape: [config.vocabularySize], kind: 'bias' },
  ];
}

export function layerName(index: number): string {
  return `encoder.layer.${index}`;
}

/** 0 for the embeddings, n + 1 for layer n (the final norm goes with the last), then the heads. */
export function depthOf(name: string, layerCount: number): number {
  if (name.startsWith('embeddings.')) return 0;
  if (name.startsWith(FINAL_NORM)) return layerCount;
  const layer = /^encoder\.layer\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? layerCount + 1 : Number(layer) + 1;
}

/** Kept as [in, out] here, stored as [out, in] by torch. */
export function isLinearWeight(name: string): boolean {
  const isTable = /^embeddings\.(word|position|token_type)_embeddings/.test(name);
  return name.endsWith('.weight') && !isTable && !name.includes('LayerNorm');
}

/** Decay pulls weights towards 0, which is wrong for biases and layer norms (BERT's recipe). */
export function isDecayed(name: string): boolean {
  return !name.endsWith('.bias') && !name.includes('LayerNorm') && name !== CLASS_TOKEN;
}

/** Fresh values: normal(0, 0.02) for matrices, 0 for biases, 1 for layer-norm gains. */
export function initialise(spec: ParameterSpec, random: SeededRandom): FloatTensor {
  const data = new Float32Array(elementCount(spec.shape));
  if (spec.kind === 'gain') data.fill(1);
  else if (spec.kind !== 'bias') {
    for (let i = 0; i < data.length; i++) data[i] = random.normal() * INITIAL_DEVIATION;
  }
  return floatTensor(spec.shape, data);
}

function table(name: string, rows: number, width: number): ParameterSpec {
  return { name: `${name}.weight`, shape: [rows, width], kind: 'embedding' };
}

function linear(name: string, from: number, to: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [from, to], kind: 'linear' },
    { name: `${name}.bias`, shape: [to], kind: 'bias' },
  ];
}

function norm(name: string, width: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [width], kind: 'gain' },
    { name: `${name}.bias`, shape: [width], kind: 'bias' },
  ];
}
