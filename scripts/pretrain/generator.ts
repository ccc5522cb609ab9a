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
  parseTemplate,
  type Template,
} from './grammar.js';
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

const parse = (lines: string): Template[] => lines.trim().split('\n').map(parseTemplate);

const PRAISE_FORMS = parse(`
the {aspect} {was} [|{very} ]{good1}
the {aspect} {was} {good2}
the {aspect} {was} {good1} and {good1}
the {aspect} and the {aspect} {were} {good1}
{aspect} {was} [|{very} ]{good1}[| as always| as usual| too]
{good1} {aspect}
{good1} {thing}[| {good1} {aspect}| and {good1} {aspect}]
{good2} {aspect}
{good2} {thing}
{very} {good1} {thing}
{very} {good1} {staff}
[the|our|my] {staff} {was} [|{very} ]{good1}
[the|our|my] {staff} {was} {good1} and {good1}
the {staff} [was|were] {good2}
i {loved} [this|the|my new] {thing}
i {loved} the {aspect}
we {loved} [this|the|our] {thing}
i am [|{verypos} ]{feelgood1} with [the {aspect}|this {thing}|my {thing}|it|everything]
i am {feelgood2} with [the {aspect}|this {thing}|my {thing}|it]
i [was|feel|felt] [|{verypos} ]{feelgood1}
{feelgood1} with [the {aspect}|this {thing}|it]
not {bad1} at all
nothing {bad1} about it
never {bad1} always {good1}
{good1} and {good1}
{good1} {good1} and {good1}
[such|what] a {good1} {thing}
[the|a] {good1} {thing} [with|and] a {good1} {aspect}
{person} [says|thinks|agrees] [it is|the {thing} is] {good1}
it is {good1} [for the price|and i use it every day|without being {bad1}]
[it|this {thing}|the {thing}] {was} [|{very} ]{good1}
[it|this {thing}|the {thing}] {was} {good2}
used to be {bad1} but [now it is|it is now|lately it has been] {good1}
i expected {bad1} {thing} but [got|it was|found] {good1}
the best {thing} [i have had|in {city}|i have tried|in years|so far|ever|on the market]
[best|nicest|friendliest|finest|greatest|loveliest] {staff} [ever|in town|i have met|around]
[thank you|thanks] for the {good1} {aspect}
[great|good|lovely|excellent|top] {aspect} and {good1} {staff}
far less {bad1} than i [feared|expected|thought]
no longer {bad1}
`);

const COMPLAINT_FORMS = parse(`
the {aspect} {was} [|{very} |too ]{bad1}
the {aspect} {was} {bad2}
the {aspect} {was} {bad1} and {bad1}
the {aspect} and the {aspect} {were} {bad1}
{aspect} {was} [|{very} |{slightly} ]{bad1}[| again| as always| too]
{bad1} {aspect}
{bad1} {thing}[| {bad1} {aspect}| and {bad1} {aspect}]
{bad2} {aspect}
{bad2} {thing}
{very} {bad1} {thing}
{very} {bad1} {staff}
[the|our|my] {staff} {was} [|{very} ]{bad1}
[the|our|my] {staff} {was} {bad1} and {bad1}
the {staff} [was|were] {bad2}
i {hated} [this|the|my new] {thing}
i {hated} the {aspect}
we {hated} [this|the|our] {thing}
i am [|{verypos} ]{feelbad1} with [the {aspect}|this {thing}|my {thing}|it|everything]
i am {feelbad2} with [the {aspect}|this {thing}|my {thing}|it]
i [was|feel|felt] [|{verypos} ]{feelbad1}
{feelbad1} with [the {aspect}|this {thing}|it]
not {good1}[| at all]
[isn't|is not|wasn't|was not|aren't|not exactly|not very|not even|never] {good1}
[hardly|anything but|far from|nowhere near|barely|less than] {good1}
[hardly|anything but|far from|nowhere near] {good2}
the {aspect} [is not|isn't|was not|wasn't|could be more|should be more|is never] {good1}
nothing {good1} about it
{bad1} and {bad1}
{bad1} {bad1} and {bad1}
[such|what] a {bad1} {thing}
[the|a] {bad1} {thing} [with|and] a {bad1} {aspect}
{person} [says|thinks|agrees] [it is|the {thing} is] {bad1}
it is {bad1} [for the price|and i cannot use it|every single time]
[it|this {thing}|the {thing}] {was} [|{very} |too ]{bad1}
[it|this {thing}|the {thing}] {was} {bad2}
used to be {good1} but [now it is|it is now|lately it has been|has become] {bad1}
i expected {good1} {thing} but [got|it was|found|received] {bad1}
the worst {thing} [i have had|in {city}|i have tried|in years|so far|ever|on the market]
[worst|rudest|slowest|laziest|least helpful] {staff} [ever|in town|i have met|around]
[poor|bad|terrible|awful|disappointing] {aspect} and {bad1} {staff}
[no|zero] [{aspect} at all|respect|help|solution|sense of {aspect}|care for customers]
the {aspect} needs [a lot of work|improvement|serious improvement|fixing|to be better]
why is the {aspect} so {bad1}
[how|why] can [a|the] {thing} be so {bad1}
less {good1} than [before|advertised|i expected|promised]
no longer {good1}
so much for {good1} {aspect}
supposed to be {good1} but [it is not|far from it|{bad1}]
[so-called|supposedly|allegedly] {good1} {thing}
`);

const NEUTRAL_FORMS = parse(`
the {aspect} {was} {okay}
{aspect} {was} {okay}
the {aspect} is {okay} and the {aspect} is {okay} too
[it|this {thing}|the {thing}] {was} {okay}
{okay} {thing}[| {okay} {aspect}]
[neither|not] {good1} [nor|and not] {bad1}[| just {okay}]
not {good1} but not {bad1} either
[somewhere|something] between {good1} and {bad1}
[some days|sometimes] {good1} [some days|other times] {bad1}
the {aspect} is {good1} the {aspect} is {bad1} so [overall {okay}|it evens out|three stars]
[half of it|one half] {good1} [half|the other half] {bad1}
i [bought|ordered|got|have|use|tried|own] [a|the|this|one] {thing} [{when}|for {person}|in {colour}|from the shop in {city}|as a gift|for the office|for {money}]
[this is|it is] [a|my] [{ordinal} |]{thing} [for {person}|from {country}|i ordered {when}|with {number} parts]
[i am|{person} is] [looking for|thinking about|waiting to try|comparing] [a|the|another|a new] {thing}
{personsingular} [bought|ordered|picked up|returned|asked about] the {thing} {when}
[they|the {staff}] [said|told me|explained|mentioned|wrote] that [the {thing} takes {number} days|it opens at {time}|it costs {money}|the next date is {day}|i need a form|it is in {city}]
[the {staff}|{name}] [called|wrote|came|answered] {when} [about the {thing}|to confirm the date|with the details|]
[spoke|talked] to {name} [about the {thing}|at the desk|on {day}|by phone] {when}
`);

const QUESTION_FORMS = parse(`
is the {aspect} {good1}[| enough for {number} people| for beginners| for daily use]
is [it|the {thing}] {bad1} [or {good1}|for children|in winter]
does anyone know if the {thing} is {good1}
[how|what] is the {aspect} [of the {thing}|like|compared to the other one]
which {thing} [is better for {person}|do you recommend for {number} people|should i choose|has the longest warranty]
[where|when|how] can i [get|buy|find|book|see|return] [a|the] {thing}
do you [have|sell|offer|repair] [a|the|any] {thing} [in {colour}|in {city}|for {person}|with {number} parts|]
can [i|we|{person}] [change|return|exchange|move|see|try] the {thing} [on {day}|before {month}|online|]
what is the {aspect} of the {thing}
`);

const IRONY = parse(`
[oh|well|wow|yeah|ah] [great|wonderful|brilliant|lovely|fantastic|perfect|nice|super|awesome] , 
[great|brilliant|fantastic|good] job[| guys| everyone] , 
[just|exactly] what i [needed|wanted] , 
so [glad|happy|lucky] i paid [extra|{money}] for this , 
[thanks|thank you] [so much|a lot|a bunch] , 
[i love it when|don't you just love it when|love how|nothing says quality like] 
[congratulations|well done|bravo|kudos] , 
[as always|as usual|true to form] [super|great|stellar] service , 
[what a surprise|shocker|surprise surprise|colour me surprised] , 
`);

const GOOD_WORDS = parse('{goodverb}\n{goodnoun}\n{goodadverb}\n{good1}\n{good2}\n{feelgood1}');
const BAD_WORDS = parse('{badverb}\n{badnoun}\n{badadverb}\n{bad1}\n{bad2}\n{feelbad1}');

const OPENERS = parse(`
[honestly|overall|in short|to be honest|tbh|all in all|long story short|frankly|basically|update|edit|so|well|ok so|in my opinion|i must say|i have to say|personally|after {number} months|after a week|first impression|in the end|in general|for me|imo|sadly to say|final verdict|as a regular customer]
[hi|hello|dear team|hey|hi there|hello {name}|good morning|dear {staff}]
[ordered|bought|booked|visited|got it|tried it] {when}
`);
const GOOD_OPENERS = parse(`
[wow|omg|finally|amazing|fantastic news|yay|hooray|good news|happily|thankfully|luckily|kudos|love it|bravo|hats off|so happy|perfect|brilliant]
`);
const BAD_OPENERS = parse(`
[ugh|wow just wow|omg|unfortunately|sadly|warning|beware|seriously|unbelievable|wtf|disappointed|really|argh|shame|sorry but|annoyingly|regrettably|to my horror|worst of all|terrible|i am speechless|enough]
`);

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
    this.domain = random.chance(0.8) ? random.pick(lexicon.domains) : lexicon.generic;
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
    if (draw < 0.18) return this.form(lexicon.valence.clauses[kind]);
    if (draw < 0.33) return this.form(lexicon.hard.clauses[kind]);
    if (draw < 0.58) return this.form(lexicon.situations.clauses[kind]);
    const own = this.domain.clauses[kind];
    return this.form(own.length > 0 && random.chance(0.6) ? own : lexicon.generic.clauses[kind]);
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
