/** What a person sees while a machine runs: states as they go, bars for long tasks, retries, time. */
import type { Fact } from '../core/fact.js';
import { ROOT_FRAME } from '../core/state.js';
import type { Logger } from '../handlers/handler.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { TaskProgress } from '../runtime/dispatcher.js';
import { bar, bold, cyan, dim, duration, green, red, yellow } from './style.js';
import type { Watcher } from './watch.js';

/** Without a terminal a bar is printed as a line this often. */
const QUIET_INTERVAL_MS = 5_000;
const LIVE_INTERVAL_MS = 100;

export class ProgressView implements Watcher {
  private readonly entered = new Map<string, { readonly name: string; readonly at: number }>();
  private readonly live = process.stderr.isTTY === true;
  private readonly caught = new Set<string>();
  private barShown = false;
  private lastBarAt = 0;
  private lastBar = '';

  /** What an earlier run of the execution did: what is finished, and what now goes on. */
  known(facts: readonly Fact[]): void {
    const done: string[] = [];
    const open = new Map<string, string>();
    for (const fact of facts) {
      if (fact.type === 'StateEntered') {
        this.entered.set(fact.frame, { name: fact.name, at: fact.at });
        open.set(fact.frame, fact.name);
      }
      if (fact.type === 'StateExited') {
        open.delete(fact.frame);
        if (fact.frame === ROOT_FRAME) done.push(fact.name);
      }
    }
    if (done.length > 0) this.line(dim(`done before: ${done.join(', ')}`));
    for (const name of open.values()) this.line(`${cyan('▸')} ${bold(name)} ${dim('goes on')}`);
  }

  /** Facts as they become durable. */
  news(facts: readonly Fact[]): void {
    for (const fact of facts) this.fact(fact);
  }

  private fact(fact: Fact): void {
    const indent = fact.frame === ROOT_FRAME ? '' : '   ';
    switch (fact.type) {
      case 'StateEntered':
        this.entered.set(fact.frame, { name: fact.name, at: fact.at });
        if (fact.kind === 'Task' || fact.kind === 'Wait') {
          this.line(`${indent}${cyan('▸')} ${bold(fact.name)} ${dim(fact.kind)}`);
        }
        break;
      case 'StateExited': {
        if (this.caught.delete(fact.frame)) {
          this.line(`${indent}  ${yellow(`caught, goes on with ${fact.next}`)}`);
          break;
        }
        const since = this.entered.get(fact.frame);
        const took = since === undefined ? '' : dim(duration(fact.at - since.at));
        const next = fact.kind === 'Choice' ? dim(` → ${fact.next}`) : '';
        this.line(`${indent}${green('✓')} ${fact.name}${next} ${took}`);
        break;
      }
      case 'WaitStarted':
        this.line(`${indent}  ${dim(`waiting until ${new Date(fact.until).toISOString()}`)}`);
        break;
      case 'AttemptFailed':
        this.failed(fact, indent);
        break;
      case 'FanOutStarted':
        this.line(`${indent}${cyan('▸')} ${childrenOf(fact.kind, fact.width)}`);
        break;
      default:
    }
  }

  private failed(fact: Extract<Fact, { type: 'AttemptFailed' }>, indent: string): void {
    const { failure, recovery } = fact;
    const where = this.entered.get(fact.frame)?.name ?? 'a branch';
    const what = `${failure.error ?? 'failed'}: ${firstLine(failure.cause ?? '')}`;
    this.line(`${indent}${red('✗')} ${where} ${red(what)}`);
    if (recovery.do === 'retry') {
      const delay = duration(recovery.at - fact.at);
      this.line(`${indent}  ${yellow(`retry ${recovery.attempt} in ${delay}`)}`);
    }
    if (recovery.do === 'catch') this.caught.add(fact.frame);
  }

  task(progress: TaskProgress): void {
    const { stateName, done, total, note } = progress;
    const told = `${stateName}${note ? ` · ${note}` : ''}`;
    // Work of unknown length has no bar.
    const share = total > 0 ? `${Math.round((100 * done) / total)} %`.padStart(5) : '';
    const text = total > 0 ? `  ${bar(done, total)} ${share} ${told}` : `  ${dim('·')} ${told}`;
    const now = Date.now();
    const finished = total > 0 && done >= total;
    const interval = this.live ? LIVE_INTERVAL_MS : QUIET_INTERVAL_MS;
    if (text === this.lastBar || (!finished && now - this.lastBarAt < interval)) return;
    this.lastBarAt = now;
    this.lastBar = text;
    if (!this.live) {
      process.stderr.write(`${text}\n`);
      return;
    }
    const width = process.stderr.columns ?? 100;
    process.stderr.write(`\r\u001b[K${text.slice(0, width - 1)}`);
    this.barShown = true;
  }

  /** What handlers say, as lines for a person; STEPWELL_LOG asks for the structured log instead. */
  logger(): Logger {
    const say = (mark: string) => (message: string, fields?: JsonObject) =>
      this.line(`  ${mark} ${message}${describe(fields)}`);
    return {
      debug: () => {},
      info: say(dim('·')),
      warn: say(yellow('!')),
      error: say(yellow('!')),
    };
  }

  line(text: string): void {
    if (this.barShown) process.stderr.write('\r\u001b[K');
    this.barShown = false;
    process.stderr.write(`${text}\n`);
  }
}

/** Fields of a log line that fit on it. */
function describe(fields: JsonObject | undefined): string {
  const shown = Object.entries(fields ?? {}).filter(([name]) => name !== 'stack');
  if (shown.length === 0) return '';
  const text = shown.map(([name, value]) => `${name}=${plain(value)}`).join(' ');
  return ` ${dim(text.length > 160 ? `${text.slice(0, 157)}...` : text)}`;
}

function plain(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The first line of a cause, short enough for one line of a terminal. */
export function firstLine(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > 200 ? `${line.slice(0, 197)}...` : line;
}

function childrenOf(kind: 'Map' | 'Parallel', width: number): string {
  const [one, many] = kind === 'Map' ? ['iteration', 'iterations'] : ['branch', 'branches'];
  return `${width} ${width === 1 ? one : many}`;
}
