/** The bars of "Step Functions, exactly", each with its figure: what `npm run bench` ends with. */

type Results = Readonly<Record<string, unknown>>;
type Rates = Readonly<Record<string, number>>;

interface Bar {
  readonly part: string;
  readonly claim: string;
  /** The figure as shown, and whether the bar is met. */
  judge(measured: never): readonly [figure: string, isMet: boolean];
}

interface MapFigures {
  readonly growthMiB: number;
  readonly hundredThousand: { readonly itemsPerS: number };
}

const BARS: readonly Bar[] = [
  {
    part: 'interpreter',
    claim: 'JSONPath machines: faster than aws-local-stepfunctions, slowest work',
    judge: (works: Readonly<Record<string, Rates>>) => {
      const ratios = Object.values(works).map(
        (rates) => (rates.stepwell ?? 0) / (rates['aws-local-stepfunctions'] ?? 1),
      );
      const least = Math.min(...ratios);
      return [`${least.toFixed(1)} times`, least > 1];
    },
  },
  {
    part: 'jsonata',
    claim: 'one JSONata evaluation in a machine: at most 2 times bare jsonata, worst expression',
    judge: (expressions: Readonly<Record<string, { readonly ratio: number }>>) => {
      const most = Math.max(...Object.values(expressions).map(({ ratio }) => ratio));
      return [`${most.toFixed(2)} times`, most <= 2];
    },
  },
  {
    part: 'map',
    claim: 'Distributed Map: memory from 1,000 to 10,000 items grows by less than 150 MB',
    judge: ({ growthMiB }: MapFigures) => [`${growthMiB} MiB`, growthMiB * 1.048576 < 150],
  },
  {
    part: 'map',
    claim: 'Distributed Map: 100,000 items complete',
    judge: ({ hundredThousand: { itemsPerS } }: MapFigures) => [
      `${itemsPerS.toLocaleString('en')} items/s`,
      itemsPerS > 0,
    ],
  },
  {
    part: 'api',
    claim: 'StartExecution over HTTP: at least half of a bare express JSON echo',
    judge: ({ ratio }: { readonly ratio: number }) => [`${ratio.toFixed(2)} of it`, ratio >= 0.5],
  },
  {
    part: 'api',
    claim: 'validation of a machine of 100 states, warm: under 10 ms',
    judge: ({ validationMs }: { readonly validationMs: number }) => [
      `${validationMs.toFixed(1)} ms`,
      validationMs < 10,
    ],
  },
];

/** Prints the bars whose part was measured. */
export function printBars(results: Results): void {
  const measured = BARS.filter(({ part }) => results[part] !== undefined);
  if (measured.length === 0) return;
  console.log('\nBars of "Step Functions, exactly"');
  for (const { part, claim, judge } of measured) {
    const [figure, isMet] = judge(results[part] as never);
    console.log(`  ${isMet ? 'met   ' : 'MISSED'}  ${claim}: ${figure}`);
  }
}
