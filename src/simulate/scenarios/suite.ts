/**
 * Scenario files run: documents and machines are read once, every scenario has a world of its own, and
 * the coverage of each machine grows with every run.
 */
import { basename, dirname, relative, resolve } from 'node:path';
import { validateDefinition } from '../../core/validate.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { didYouMean } from '../../lib/suggest.js';
import { Coverage } from '../coverage/coverage.js';
import { placesOf } from '../coverage/places.js';
import { readDocument, readTextFile } from '../documents.js';
import { checkPlan } from '../mocks/check.js';
import { defaultResponder, plausibleInput } from '../mocks/defaults.js';
import { loadPlan } from '../mocks/load.js';
import { type Plan, responderOf } from '../mocks/plan.js';
import { FileProblems, Problems } from '../mocks/problems.js';
import { nestedResponder } from '../nested.js';
import { InvalidMachine, ownJournals, type Simulation, simulate } from '../simulate.js';
import type { ExpectationFailure } from './expectations.js';
import { judge, readScenarios, type Scenario } from './scenario.js';

export interface ScenarioResult {
  /** As given on the command line. */
  readonly file: string;
  readonly machine: Machine;
  readonly scenario: Scenario;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly failures: readonly ExpectationFailure[];
  /** Null when it did not run. */
  readonly run: Simulation | null;
  /** Real milliseconds. */
  readonly ms: number;
  /** States whose answers were made up. */
  readonly madeUp: readonly string[];
}

export interface Machine {
  readonly path: string;
  /** File name without `.asl.json`. */
  readonly name: string;
  readonly text: string;
  readonly definition: JsonObject;
  readonly coverage: Coverage;
  readonly ignoreCoverage: Set<string>;
}

export interface Prepared {
  readonly file: string;
  readonly scenario: Scenario;
  readonly machine: Machine;
  readonly plans: readonly Plan[];
  /** Definitions that nested executions run for real, by name. */
  readonly machines: ReadonlyMap<string, string>;
}

export class Suite {
  /** By path, in the order in which they were first used. */
  readonly machines = new Map<string, Machine>();
  private readonly documents = new Map<string, Promise<Json>>();

  /** Reads and checks one file; throws FileProblems, InvalidMachine. */
  async prepare(file: string): Promise<readonly Prepared[]> {
    const name = basename(file).replace(/\.test\.(ya?ml|json)$/, '');
    const read = readScenarios(await this.document(file, 'scenario file'), file, name);
    const prepared: Prepared[] = [];
    for (const scenario of read.scenarios) {
      const machine = await this.machine(
        resolve(dirname(resolve(file)), scenario.machine),
        scenario,
      );
      ignorePlaces(read.ignoreCoverage, machine, file);
      const plans = await this.plans(file, scenario, machine);
      const machines = await this.nested(file, scenario);
      prepared.push({ file, scenario, machine, plans, machines });
    }
    return prepared;
  }

  /** Every file that was read: what a watcher looks at. */
  files(): readonly string[] {
    return [...this.documents.keys(), ...this.machines.keys()];
  }

  private document(path: string, what: string): Promise<Json> {
    const known = this.documents.get(path);
    if (known !== undefined) return known;
    const made = readDocument(path, what);
    this.documents.set(path, made);
    return made;
  }

  private async machine(path: string, { type }: Scenario): Promise<Machine> {
    const known = this.machines.get(path);
    if (known !== undefined) return known;
    const text = await readTextFile(path, 'state machine');
    const { diagnostics, definition } = validateDefinition(text, { type, strict: false });
    const errors = diagnostics.filter(({ severity }) => severity === 'ERROR');
    if (definition === null || errors.length > 0) throw new InvalidMachine(errors, path);
    const made: Machine = {
      path: relative('', path),
      name: basename(path).replace(/(\.asl)?\.json$/, ''),
      text,
      definition,
      coverage: new Coverage(definition),
      ignoreCoverage: new Set(),
    };
    this.machines.set(path, made);
    return made;
  }

  private async nested(file: string, { machines }: Scenario): Promise<ReadonlyMap<string, string>> {
    const texts = new Map<string, string>();
    for (const [name, path] of machines) {
      const full = resolve(dirname(resolve(file)), path);
      const document = await this.document(full, 'state machine');
      texts.set(name, JSON.stringify(document));
    }
    return texts;
  }

  private async plans(
    file: string,
    scenario: Scenario,
    machine: Machine,
  ): Promise<readonly Plan[]> {
    const plans: Plan[] = [];
    for (const { pointer, value } of scenario.mocks) {
      const isPath = typeof value === 'string';
      const path = isPath ? resolve(dirname(resolve(file)), value) : file;
      const document = isPath ? await this.document(path, 'mock file') : value;
      const shown = isPath ? relative('', path) : file;
      const wanted = { machine: machine.name, testCase: scenario.testCase };
      const { plan } = await loadPlan(document, shown, wanted, isPath ? '' : pointer);
      const found = checkPlan(plan, machine.definition, scenario.validateMocks);
      const errors = found.filter(({ severity }) => severity === 'error');
      if (errors.length > 0) throw new FileProblems(shown, errors);
      plans.push(plan);
    }
    return plans;
  }

  async run({ file, machine, machines, plans, scenario }: Prepared): Promise<ScenarioResult> {
    if (scenario.skip) {
      return {
        file,
        machine,
        scenario,
        status: 'skipped',
        failures: [],
        run: null,
        ms: 0,
        madeUp: [],
      };
    }
    const begun = performance.now();
    const fails = scenario.unmocked === 'fail' || plans.some(({ fallback }) => fallback === 'fail');
    const mocked = plans.map((plan) => ({ name: 'mock', answer: responderOf(plan) }));
    const run = await simulate({
      definition: machine.text,
      input: scenario.input ?? plausibleInput(machine.definition),
      responders: [
        ...mocked,
        nestedResponder(machines),
        ...(fails ? [] : [defaultResponder(machine.definition)]),
      ],
      machines,
      seed: scenario.seed,
      ...(scenario.startAt === null ? {} : { startAt: scenario.startAt }),
      type: scenario.type,
      stateMachineName: machine.name.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 60) || 'machine',
      executionName: scenario.executionName,
    });
    machine.coverage.add(scenario.name, ownJournals(run));
    const failures = await judge(run, scenario.checks);
    return {
      file,
      machine,
      scenario,
      status: failures.length === 0 ? 'passed' : 'failed',
      failures,
      run,
      ms: performance.now() - begun,
      madeUp: [
        ...new Set(run.calls.filter(({ by }) => by === 'default').map(({ state }) => state)),
      ],
    };
  }
}

/** Every id must name a place: a mistyped one would hide nothing, and nobody would notice. */
function ignorePlaces(ids: readonly string[], machine: Machine, file: string): void {
  const known = placesOf(machine.definition).map(({ id }) => id);
  const problems = new Problems();
  for (const [index, id] of ids.entries()) {
    if (known.includes(id)) machine.ignoreCoverage.add(id);
    else {
      const message = `The machine has no place "${id}".${didYouMean(id, known)}`;
      problems.error(`/ignoreCoverage/${index}`, message);
    }
  }
  problems.refuse(file);
}
