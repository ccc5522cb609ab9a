/**
 * Sentence frames around the adjectives, verbs and nouns of lexicon/words.txt and valence.txt, and
 * the openers of a text. Same notation as the lexicon files.
 */
import { parseTemplate, type Template } from './grammar.js';

const parse = (lines: string): Template[] => lines.trim().split('\n').map(parseTemplate);

export const PRAISE_FORMS = parse(`
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

export const COMPLAINT_FORMS = parse(`
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

export const NEUTRAL_FORMS = parse(`
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

export const QUESTION_FORMS = parse(`
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

export const IRONY = parse(`
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

export const GOOD_WORDS = parse(
  '{goodverb}\n{goodnoun}\n{goodadverb}\n{good1}\n{good2}\n{feelgood1}',
);
export const BAD_WORDS = parse('{badverb}\n{badnoun}\n{badadverb}\n{bad1}\n{bad2}\n{feelbad1}');

export const OPENERS = parse(`
[honestly|overall|in short|to be honest|tbh|all in all|long story short|frankly|basically|update|edit|so|well|ok so|in my opinion|i must say|i have to say|personally|after {number} months|after a week|first impression|in the end|in general|for me|imo|sadly to say|final verdict|as a regular customer]
[hi|hello|dear team|hey|hi there|hello {name}|good morning|dear {staff}]
[ordered|bought|booked|visited|got it|tried it] {when}
`);
export const GOOD_OPENERS = parse(`
[wow|omg|finally|amazing|fantastic news|yay|hooray|good news|happily|thankfully|luckily|kudos|love it|bravo|hats off|so happy|perfect|brilliant]
`);
export const BAD_OPENERS = parse(`
[ugh|wow just wow|omg|unfortunately|sadly|warning|beware|seriously|unbelievable|wtf|disappointed|really|argh|shame|sorry but|annoyingly|regrettably|to my horror|worst of all|terrible|i am speechless|enough]
`);
