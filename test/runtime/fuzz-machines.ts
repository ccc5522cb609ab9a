/** Machines made by spoiling good ones: a value replaced, removed, moved or doubled, a few times. */
import fc, { type Arbitrary } from 'fast-check';
import { HOSTILE_JSON, KEYS } from '../support/fuzz.js';

type Json = unknown;
type Node = Record<string, Json>;

const pass = { Type: 'Pass', End: true };
const processor = (states: Node, start = 'I') => ({ StartAt: start, States: states });

/** Valid machines that together use every state and most fields. */
const SEEDS: readonly Node[] = [
  {
    StartAt: 'P',
    TimeoutSeconds: 900,
    States: {
      P: {
        Type: 'Pass',
        Parameters: {
          'a.$': '$.list[0]',
          'b.$': "States.Format('{}-{}', $.s, $.n)",
          'c.$': '$$.Execution.Name',
        },
        ResultPath: '$.p',
        Assign: { 'v.$': '$.n' },
        Next: 'C',
      },
      C: {
        Type: 'Choice',
        Choices: [
          { Variable: '$.n', NumericGreaterThan: 100, Next: 'F' },
          {
            And: [
              { Variable: '$.s', StringMatches: 't*t' },
              { Not: { Variable: '$.x', IsPresent: true } },
            ],
            Next: 'W',
          },
        ],
        Default: 'S',
      },
      W: { Type: 'Wait', Seconds: 5, Next: 'S' },
      F: { Type: 'Fail', Error: 'E', Cause: 'C' },
      S: { Type: 'Succeed', OutputPath: '$.p' },
    },
  },
  {
    StartAt: 'T',
    States: {
      T: {
        Type: 'Task',
        Resource: 'script:fail',
        Parameters: { 'all.$': '$' },
        ResultSelector: { 'r.$': '$.all' },
        TimeoutSeconds: 20,
        HeartbeatSeconds: 10,
        Retry: [
          {
            ErrorEquals: ['States.ALL'],
            IntervalSeconds: 2,
            MaxAttempts: 2,
            BackoffRate: 1.5,
            MaxDelaySeconds: 9,
            JitterStrategy: 'FULL',
          },
        ],
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.caught', Next: 'U' }],
        Next: 'U',
      },
      U: { Type: 'Task', Resource: 'script:ok', ResultPath: '$.u', End: true },
    },
  },
  {
    StartAt: 'A',
    States: {
      A: {
        Type: 'Parallel',
        Branches: [
          processor({ I: pass }),
          processor({ J: { Type: 'Wait', SecondsPath: '$.n', End: true } }, 'J'),
        ],
        ResultSelector: { 'first.$': '$[0]' },
        Retry: [{ ErrorEquals: ['States.Timeout'], MaxAttempts: 1 }],
        Next: 'M',
      },
      M: {
        Type: 'Map',
        ItemsPath: '$.first.list',
        ItemSelector: { 'i.$': '$$.Map.Item.Index', 'v.$': '$$.Map.Item.Value' },
        MaxConcurrency: 2,
        ItemProcessor: processor({ I: { Type: 'Task', Resource: 'script:ok', End: true } }),
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'End' }],
        Next: 'End',
      },
      End: { Type: 'Succeed' },
    },
  },
  {
    QueryLanguage: 'JSONata',
    StartAt: 'P',
    States: {
      P: {
        Type: 'Pass',
        Assign: { total: '{% $sum($states.input.list) %}' },
        Output: '{% $merge([$states.input, {"t": 1}]) %}',
        Next: 'C',
      },
      C: { Type: 'Choice', Choices: [{ Condition: '{% $total > 5 %}', Next: 'M' }], Default: 'T' },
      T: {
        Type: 'Task',
        Resource: 'script:ok',
        Arguments: { a: '{% $states.input.s %}' },
        Output: { r: '{% $states.result %}' },
        TimeoutSeconds: '{% 3 + 4 %}',
        Next: 'M',
      },
      M: {
        Type: 'Map',
        Items: '{% [1..3] %}',
        ItemSelector: { v: '{% $states.context.Map.Item.Value %}' },
        ItemProcessor: processor({
          I: { Type: 'Wait', Seconds: '{% 2 %}', Output: '{% $states.input.v %}', End: true },
        }),
        Next: 'F',
      },
      F: { Type: 'Fail', Error: "{% 'E' & 1 %}", Cause: '{% $string($states.input) %}' },
    },
  },
  {
    StartAt: 'D',
    States: {
      D: {
        Type: 'Map',
        Label: 'L',
        ItemsPath: '$.list',
        ItemBatcher: { MaxItemsPerBatch: 2 },
        ToleratedFailurePercentage: 50,
        MaxConcurrency: 2,
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          ...processor({ I: pass }),
        },
        End: true,
      },
    },
  },
];

export const INPUT = { n: 3, s: 'text', list: [1, 2, { a: null }], __x: 'x' };

const PATHS = [
  '$',
  '$$',
  '$.',
  '$..*',
  '$..[*]..[*]..[*]',
  '$[?(@.a==1)]',
  '$[?(@.s =~ /(a+)+$/)]',
  '$[?(@[?(@[?(@.a)])])]',
  "$['__proto__']['constructor']",
  '$.__proto__.polluted',
  '$.list[-1]',
  '$.list[99999999999999999999]',
  '$.list[0:1e9:-1]',
  `$${'.a'.repeat(600)}`,
  `$${'[0]'.repeat(200)}`,
  `$${'[?('.repeat(40)}`,
  '$.list.length()',
  '$..list.sum()',
  '$$.Task.Token',
  '$v',
  '$$.Map.Item.Value',
  '$.\ud800',
  "$['\u0000']",
  'States.Array(States.Array(States.Array($)))',
  `${'States.Array('.repeat(70)}1${')'.repeat(70)}`,
  'States.ArrayRange(0, 1e9, 1e-9)',
  "States.StringToJson('[[[[')",
  "States.Format('{}{}{}', $)",
  'States.MathRandom(1e308, -1e308)',
  'States.JsonMerge($, $, true)',
  "States.Base64Decode('%%%')",
  'States.ArrayPartition($.list, 0)',
  "States.Hash($, 'MD6')",
];

const JSONATA = [
  '$states.input.**.**.**',
  '$states.input.__proto__',
  '$states.input.constructor.constructor("return process")()',
  '$$',
  '(',
  '1/0',
  '-1e308*10',
  '"\ud800"',
  '$string(function($x){$x})',
  'function($x){$x}',
  '/(a+)+$/',
  '$match($pad("", 2000, "a"), /(a|a)*b/)',
  '$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", /^(a+)+$/)',
  '/(?=a)\\1/',
  '[1..1e7]',
  '[1..500].[1..500]',
  '$count($distinct([1..20000]))',
  '($f := function($x){ $x = 0 ? 0 : 1 + $f($x - 1) }; $f(500))',
  '$map([1..300], function($v){$pad("", 400000, "ab")})',
  '$eval("1")',
  '$lookup($states, "input")',
  '$states',
  '$undefinedVariable',
  '$sort([3,"a",null])',
  '$merge([{"__proto__": {"polluted": true}}])',
  '{"__proto__": {"polluted": true}}',
  '$states.input ~> |$|{"polluted": 1}|',
  '$parse("{\\"__proto__\\":1}")',
  '$error($pad("", 300000, "e"))',
  '$assert(false)',
  '$toMillis("x", "[Y")',
  '$formatNumber(1, "#.#.#")',
  '$fromMillis(1e300)',
  `${'('.repeat(300)}1${')'.repeat(300)}`,
  `${'['.repeat(90)}${']'.repeat(90)}`,
  '$uuid() & $random() & $millis() & $now()',
];

const TYPES = [
  'Pass',
  'Task',
  'Choice',
  'Wait',
  'Succeed',
  'Fail',
  'Parallel',
  'Map',
  'constructor',
];
const NAMES = ['P', 'C', 'W', 'S', 'T', 'U', 'M', 'I', 'D', 'End', ...KEYS];
const FIELDS: readonly string[] = [
  ...[
    'InputPath',
    'OutputPath',
    'ResultPath',
    'Parameters',
    'ResultSelector',
    'ItemsPath',
    'Items',
  ],
  ...[
    'Seconds',
    'SecondsPath',
    'Timestamp',
    'TimestampPath',
    'MaxConcurrency',
    'MaxConcurrencyPath',
  ],
  ...[
    'TimeoutSeconds',
    'TimeoutSecondsPath',
    'HeartbeatSeconds',
    'Retry',
    'Catch',
    'Assign',
    'Output',
  ],
  ...['Arguments', 'QueryLanguage', 'ItemSelector', 'ItemBatcher', 'ItemReader', 'ResultWriter'],
  ...[
    'ToleratedFailureCount',
    'ErrorPath',
    'CausePath',
    'Result',
    'Comment',
    'Credentials',
    'Default',
  ],
];

const hostile: Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...PATHS) },
  { weight: 4, arbitrary: fc.constantFrom(...JSONATA).map((text) => `{% ${text} %}`) },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...HOSTILE_JSON).map((text) => JSON.parse(text) as Json),
  },
  fc.constantFrom(...TYPES),
  fc.constantFrom('script:ok', 'script:fail', 'script:hang', 'script:throw', 'JSONata', 'JSONPath'),
  fc.integer({ min: -2, max: 5 }),
  fc.constantFrom('2020-01-01T00:00:00Z', '9999-99-99T99:99:99Z', true, null),
);

interface Change {
  readonly how: 'replace' | 'remove' | 'rename' | 'add' | 'copy';
  readonly at: number;
  readonly from: number;
  readonly field: string;
  readonly value: Json;
}

const change: Arbitrary<Change> = fc.record({
  how: fc.constantFrom('replace', 'replace', 'replace', 'add', 'add', 'copy', 'remove', 'rename'),
  at: fc.nat(10_000),
  from: fc.nat(10_000),
  field: fc.oneof(fc.constantFrom(...FIELDS), fc.constantFrom(...NAMES)),
  value: hostile,
});

/** Texts: a definition may hold keys that no literal can. */
export const anyDefinition: Arbitrary<string> = fc
  .tuple(fc.constantFrom(...SEEDS), fc.array(change, { minLength: 0, maxLength: 3 }))
  .map(([seed, changes]) => JSON.stringify(changes.reduce(apply, clone(seed))));

function clone<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

interface Place {
  readonly parent: Node;
  readonly key: string;
}

function places(node: Json, found: Place[] = []): Place[] {
  if (typeof node !== 'object' || node === null) return found;
  for (const key of Object.keys(node)) {
    found.push({ parent: node as Node, key });
    places((node as Node)[key], found);
  }
  return found;
}

function apply(root: Node, { how, at, from, field, value }: Change): Node {
  const all = places(root);
  const place = all[at % all.length];
  if (place === undefined) return root;
  const { parent, key } = place;
  const present = parent[key];
  switch (how) {
    case 'replace':
      put(parent, key, value);
      return root;
    case 'remove':
      delete parent[key];
      return root;
    case 'rename':
      delete parent[key];
      put(parent, field, present);
      return root;
    case 'copy': {
      const other = all[from % all.length];
      put(parent, key, clone(other === undefined ? null : (other.parent[other.key] ?? null)));
      return root;
    }
    case 'add':
      put(
        typeof present === 'object' && present !== null ? (present as Node) : parent,
        field,
        value,
      );
      return root;
  }
}

function put(target: Node, key: string, value: Json): void {
  Object.defineProperty(target, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
