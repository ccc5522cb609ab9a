/** How people really type: contractions, chat spelling, stretched words and slips of the finger. */
import type { SeededRandom } from '../../src/ml/onnx/seeded-random.js';

const CONTRACTIONS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\b(do|did|does|is|was|were|are|would|could|should|has|have) not\b/g, ["$1n't", '$1nt']],
  [/\bcannot\b/g, ["can't", 'cant', 'can not']],
  [/\bwill not\b/g, ["won't", 'wont']],
  [/\bi am\b/g, ["i'm", 'im']],
  [/\bit is\b/g, ["it's", 'its']],
  [/\bi have\b/g, ["i've", 'ive']],
  [/\bi would\b/g, ["i'd"]],
  [/\bi will\b/g, ["i'll", 'ill']],
  [/\b(they|you|we) are\b/g, ["$1're"]],
  [/\bthey have\b/g, ["they've"]],
  [/\bthere is\b/g, ["there's"]],
  [/\bthat is\b/g, ["that's"]],
];

const CHAT: Readonly<Record<string, readonly string[]>> = {
  you: ['u', 'ya'],
  your: ['ur'],
  very: ['v', 'veryyy', 'vry'],
  please: ['pls', 'plz'],
  because: ['cuz', 'bc', 'cos'],
  great: ['gr8', 'greaaat', 'grt'],
  thanks: ['thx', 'ty', 'tnx'],
  so: ['sooo', 'soo'],
  love: ['luv', 'looove'],
  really: ['rly', 'realllly'],
  people: ['ppl'],
  never: ['neverrr', 'nvr'],
  good: ['gud', 'goood'],
  bad: ['baaad'],
  awesome: ['awsome'],
  definitely: ['definately', 'defo', 'def'],
  recommend: ['recomend', 'reccomend'],
  received: ['recieved'],
  terrible: ['terible'],
  disappointed: ['dissapointed', 'disapointed'],
  disappointing: ['dissapointing'],
  excellent: ['excelent'],
  beautiful: ['beautifull'],
  service: ['sevice', 'servce'],
  quality: ['qualty', 'quality-wise'],
  delivery: ['delivary'],
  amazing: ['amazin', 'amazinggg'],
  horrible: ['horible', 'horribleee'],
  product: ['prodcut'],
  with: ['w/'],
  without: ['w/o'],
};

/** `rate` 0 changes nothing; 1 is the usual amount. The text's tokens are separated by spaces. */
export function roughen(text: string, rate: number, random: SeededRandom): string {
  let result = text;
  if (random.chance(0.6 * rate)) result = contract(result, random);
  if (random.chance(0.12 * rate)) result = chat(result, random);
  if (random.chance(0.15 * rate)) result = slip(result, random);
  if (random.chance(0.05 * rate)) result = dropWord(result, random);
  if (random.chance(0.06 * rate)) result = typeset(result);
  return result;
}

/** What a phone's keyboard makes of quotes, dashes and dots. */
function typeset(text: string): string {
  return text.replaceAll("'", '’').replaceAll(' - ', ' — ').replaceAll('...', '…');
}

function contract(text: string, random: SeededRandom): string {
  return CONTRACTIONS.reduce(
    (result, [pattern, forms]) =>
      pattern.test(result)
        ? result.replace(pattern, random.chance(0.75) ? forms[0]! : random.pick(forms))
        : result,
    text,
  );
}

function chat(text: string, random: SeededRandom): string {
  return text
    .split(' ')
    .map((word) =>
      Object.hasOwn(CHAT, word) && random.chance(0.5) ? random.pick(CHAT[word]!) : word,
    )
    .join(' ');
}

/** One wrong key in a longer word: swapped, dropped or doubled. */
function slip(text: string, random: SeededRandom): string {
  const words = text.split(' ');
  const long = words.flatMap((word, index) => (/^[a-z]{5,}$/.test(word) ? [index] : []));
  if (long.length === 0) return text;
  const at = random.pick(long);
  const word = words[at]!;
  const i = 1 + random.below(word.length - 2);
  const kind = random.below(3);
  if (kind === 0) words[at] = word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2);
  else if (kind === 1) words[at] = word.slice(0, i) + word.slice(i + 1);
  else words[at] = word.slice(0, i) + word[i] + word.slice(i);
  return words.join(' ');
}

function dropWord(text: string, random: SeededRandom): string {
  return text.replace(/\b(the|a|is|was|i|it|and) /g, (word) => (random.chance(0.6) ? '' : word));
}
