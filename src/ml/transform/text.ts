/** Text normalisation, the same for training and serving: one function, so that the two cannot part. */

export interface TextRules {
  readonly trim: boolean;
  readonly collapseWhitespace: boolean;
  readonly unicode: 'NFC' | 'NFKC' | false;
  readonly lowercase: boolean;
}

export function normaliseText(value: string, rules: TextRules): string {
  let text = value;
  if (rules.unicode !== false) text = text.normalize(rules.unicode);
  if (rules.collapseWhitespace) text = text.replace(/\s+/g, ' ');
  if (rules.trim) text = text.trim();
  return rules.lowercase ? text.toLowerCase() : text;
}
