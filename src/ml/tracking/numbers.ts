/** Numbers as Python spells them in MLflow's files; NaN and the infinities come back as they went. */

export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** Null for what is no number. */
export function numberOf(text: string): number | null {
  const word = text.trim().toLowerCase();
  if (word === 'nan') return Number.NaN;
  if (word === 'inf' || word === 'infinity') return Number.POSITIVE_INFINITY;
  if (word === '-inf' || word === '-infinity') return Number.NEGATIVE_INFINITY;
  const value = word === '' ? Number.NaN : Number(word);
  return Number.isNaN(value) ? null : value;
}
