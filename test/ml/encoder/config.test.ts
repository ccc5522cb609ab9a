import { describe, expect, test } from 'vitest';
import { longestSequence, parseConfig } from '../../../src/ml/encoder/config.js';

const BERT = {
  model_type: 'bert',
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
  type_vocab_size: 2,
};

describe('config.json', () => {
  test.each([
    [{ ...BERT }, { family: 'bert', head: 'dense', firstPosition: 0, tokenTypeCount: 2 }],
    [
      { ...BERT, stepwell_pooling: 'mean' },
      { head: 'linear', pooling: 'mean' },
    ],
    [
      { ...BERT, model_type: 'roberta', pad_token_id: 1, max_position_embeddings: 514 },
      { family: 'roberta', firstPosition: 2, padTokenId: 1 },
    ],
    [
      { ...BERT, model_type: 'xlm-roberta' },
      { family: 'roberta', firstPosition: 2 },
    ],
    [
      { ...BERT, model_type: 'vit', image_size: 224, patch_size: 16 },
      { family: 'vit', positionCount: 197, image: { size: 224, patchSize: 16, channels: 3 } },
    ],
  ])('%o', (config, expected) => {
    expect(parseConfig(config)).toMatchObject(expected);
  });

  test('the longest text of RoBERTa leaves out the positions that it does not use', () => {
    const config = {
      ...BERT,
      model_type: 'roberta',
      pad_token_id: 1,
      max_position_embeddings: 514,
    };
    expect(longestSequence(parseConfig(config))).toBe(512);
  });

  test.each([
    [{ ...BERT, model_type: 'gpt2' }, /model_type "gpt2" is not supported; use a bert/],
    [{ ...BERT, num_attention_heads: 5 }, /5 heads do not divide 768/],
    [{ ...BERT, hidden_size: 'wide' }, /'hidden_size' must be a number, not "wide"/],
    [{ ...BERT, hidden_act: 'swish' }, /the activation "swish" is not supported/],
    [{ ...BERT, position_embedding_type: 'relative_key' }, /"relative_key" is not supported/],
    [
      { ...BERT, model_type: 'vit', image_size: 224, patch_size: 15 },
      /patches of 15 do not divide/,
    ],
  ])('%o is refused', (config, message) => {
    expect(() => parseConfig(config)).toThrow(message);
  });
});
