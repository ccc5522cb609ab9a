/**
 * The seeded writer of pre-training text: composes clauses of the lexicon into short feedback and
 * knows, because it chose it, what each text says (its rating). It has never seen data/: every word
 * comes from the lexicon files beside it.
 */
import type { SeededRandom } from '../../src/ml/onnx/seeded-random.js';
import {
  type ClauseKind,
  type Domain,
  expand,
  type Lexicon,
  type Lists,
  type Template,
} from './grammar.js';
import {
  PRAISE_FORMS,
  COMPLAINT_FORMS,
  NEUTRAL_FORMS,
  QUESTION_FORMS,
  IRONY,
  GOOD_WORDS,
  BAD_WORDS,
  OPENERS,
  GOOD_OPENERS,
  BAD_OPENERS,
} from './forms.js';
import { roughen } from './noise.js';

/** 0 = praise, 1 = neither, 2 = complaint. */
export type Rating = 0 | 1 | 2;
export interface GeneratedText {
  readonly text: string;
  readonly rating: Rating;
}

const PRAISE: Rating = 0;
const NEITHER: Rating = 1;
const COMPLAINT: Rating = 2;

/** Rate of spelling noise, contractions and emoji; 0 gives clean text for the vocabulary. */
export interface GeneratorSettings {
  readonly noise: number;
}

export class TextGenerator {
  private lists: readonly Lists[];
  private domain: Domain;

  constructor(
    private readonly lexicon: Lexicon,
    private readonly random: SeededRandom,
    private readonly settings: GeneratorSettings,
  ) {
    this.domain = lexicon.generic;
    this.lists = [];
  }

  next(): GeneratedText {
    const { random, lexicon } = this;
    this.domain = random.chance(0.88) ? random.pick(lexicon.domains) : lexicon.generic;
    this.lists = [this.domain.lists, lexicon.words, lexicon.generic.lists, lexicon.valence.lists];
    const rating = random.below(3) as Rating;
    const sentences = this.compose(rating);
    const text = this.punctuate(sentences, rating);
    return { text: roughen(text, this.settings.noise, random), rating };
  }

  private compose(rating: Rating): string[] {
    if (rating === NEITHER) return this.composeNeutral();
    const { random } = this;
    if (random.chance(0.05)) return [this.soup(rating)];
    const draw = random.uniform();
    if (draw < 0.28) return [this.clause(rating)];
    if (draw < 0.48) return [this.clause(rating), this.clause(rating)];
    if (draw < 0.54) return [`${this.clause(rating)} and ${this.clause(rating)}`];
    if (draw < 0.63) return this.several(3, () => this.clause(rating));
    if (draw < 0.67) return [this.fact(), ...this.several(3, () => this.clause(rating))];
    if (draw < 0.8) return [this.turned(rating)];
    if (draw < 0.93) {
      const order = random.chance(0.6);
      return order ? [this.fact(), this.clause(rating)] : [this.clause(rating), this.fact()];
    }
    if (rating === COMPLAINT) return [`${this.form(IRONY)} ${this.event('-')}`];
    return [this.clause(rating), this.clause(rating)];
  }

  /** What comes after "but" decides. */
  private turned(rating: Rating): string {
    const { random } = this;
    const other = rating === PRAISE ? COMPLAINT : PRAISE;
    const turn = random.pick([
      'but',
      'but',
      ', but',
      'however',
      'yet',
      'although',
      'even though',
      'though',
      'despite',
    ]);
    if (turn === 'although' || turn === 'even though') {
      return random.chance(0.5)
        ? `${turn} ${this.clause(other)} , ${this.clause(rating)}`
        : `${this.clause(rating)} ${turn} ${this.clause(other)}`;
    }
    if (turn === 'despite') {
      const blamed = random.pick(['wait', 'price', 'weather', 'delay', 'traffic', 'crowd']);
      return `${this.clause(rating)} despite the ${blamed}`;
    }
    if (turn === 'however' || turn === 'though')
      return `${this.clause(other)} . ${turn} , ${this.clause(rating)}`;
    return `${this.clause(other)} ${turn} ${this.clause(rating)}`;
  }

  private several(count: number, write: () => string): string[] {
    return Array.from({ length: count }, write);
  }

  /** A few leaning words in no order: every listed word must be met often enough to be known. */
  private soup(rating: Rating): string {
    const lists = rating === PRAISE ? GOOD_WORDS : BAD_WORDS;
    const count = 2 + this.random.below(4);
    return Array.from({ length: count }, () => this.form(lists)).join(
      this.random.pick([' ', ' , ', ' and ']),
    );
  }

  private composeNeutral(): string[] {
    const draw = this.random.uniform();
    if (draw < 0.3) return [this.fact()];
    if (draw < 0.46) return [this.fact(), this.fact()];
    if (draw < 0.64) return [this.question()];
    if (draw < 0.7) return [this.fact(), this.question()];
    if (draw < 0.9) return [this.form(NEUTRAL_FORMS)];
    if (draw < 0.93) return [this.fact(), this.form(NEUTRAL_FORMS)];
    if (draw < 0.96) return this.several(3, () => this.fact());
    return [this.balanced()];
  }

  private balanced(): string {
    const [good, bad] = [this.clause(PRAISE), this.clause(COMPLAINT)];
    const verdict =
      'so overall average|on balance okay|mixed feelings|so it evens out|three stars|a mixed bag|i am undecided|so so|neither here nor there|it balances out';
    const end = this.random.pick(verdict.split('|'));
    return this.random.chance(0.5) ? `${good} , ${bad} , ${end}` : `${bad} , ${good} , ${end}`;
  }

  /** One clause that praises or complains: an adjective form or an event of the trade. */
  private clause(rating: Rating): string {
    if (this.random.chance(0.5)) return this.event(rating === PRAISE ? '+' : '-');
    return this.form(rating === PRAISE ? PRAISE_FORMS : COMPLAINT_FORMS);
  }

  private event(kind: ClauseKind): string {
    const { random, lexicon } = this;
    const draw = random.uniform();
    if (draw < 0.14) return this.form(lexicon.valence.clauses[kind]);
    if (draw < 0.26) return this.form(lexicon.hard.clauses[kind]);
    if (draw < 0.46) return this.form(lexicon.situations.clauses[kind]);
    const own = this.domain.clauses[kind];
    return this.form(own.length > 0 && random.chance(0.7) ? own : lexicon.generic.clauses[kind]);
  }

  private fact(): string {
    return this.random.chance(0.8) ? this.event('=') : this.form(NEUTRAL_FORMS);
  }

  private question(): string {
    const asked = this.random.chance(0.7) ? this.event('?') : this.form(QUESTION_FORMS);
    return this.random.chance(0.8) ? `${asked} ?` : asked;
  }

  private form(templates: readonly Template[]): string {
    return expand(this.random.pick(templates), this.lists, this.random)
      .replace(/ {2,}/g, ' ')
      .trim();
  }

  private punctuate(sentences: readonly string[], rating: Rating): string {
    const { random } = this;
    const parts: string[] = [];
    if (random.chance(0.18)) parts.push(this.opener(rating), random.pick([',', ',', ':', '!', '']));
    sentences.forEach((sentence, index) => {
      parts.push(sentence);
      if (sentence.endsWith('?')) return;
      const last = index === sentences.length - 1;
      parts.push(this.mark(rating, last));
    });
    if (random.chance(0.1)) parts.push(this.emoji(rating));
    return parts.filter((part) => part !== '').join(' ');
  }

  private opener(rating: Rating): string {
    const { random } = this;
    if (rating === NEITHER || random.chance(0.5)) return this.form(OPENERS);
    return this.form(rating === PRAISE ? GOOD_OPENERS : BAD_OPENERS);
  }

  private mark(rating: Rating, last: boolean): string {
    const { random } = this;
    if (!last && random.chance(0.4)) return random.pick([',', ',', ';', '-', 'and', '...']);
    if (rating === NEITHER) return random.pick(['.', '.', '.', '']);
    const strong = rating === PRAISE ? ['!', '!', '!!', '!!!'] : ['!', '!!', '...', '!!!', '?!'];
    return random.chance(0.35) ? random.pick(strong) : random.pick(['.', '.', '']);
  }

  private emoji(rating: Rating): string {
    const name = rating === PRAISE ? 'posemoji' : rating === COMPLAINT ? 'negemoji' : 'neuemoji';
    const one = this.form(this.lexicon.words.get(name)!);
    return this.random.chance(0.25) ? `${one} ${one}` : one;
  }
}
