/** The breakpoints of an editor: it sends whole lists, by kind, and each list replaces the one before. */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { JsonObject } from '../../lib/json.js';
import type { Breakpoints, BreakpointWish } from '../debug/breakpoints.js';
import { parseBreakpoint } from '../debug/commands.js';
import { stateAtLine, type StateRange } from './source-map.js';

export class EditorBreakpoints {
  private readonly groups = new Map<string, number[]>();

  constructor(
    private readonly breakpoints: Breakpoints,
    private readonly ranges: readonly StateRange[],
    /** File of the definition, if it has one. */
    private readonly path: string | null,
  ) {}

  /** Replaces those on lines of the definition. */
  onLines(args: JsonObject): object {
    const source = args.source as DebugProtocol.Source | undefined;
    const wanted = (args.breakpoints ?? []) as unknown as readonly DebugProtocol.SourceBreakpoint[];
    this.forget('lines');
    if (!this.isOurs(source)) {
      return {
        breakpoints: wanted.map(({ line }) => ({
          verified: false,
          line,
          message: 'This is not the definition that is debugged.',
        })),
      };
    }
    return { breakpoints: wanted.map((one) => this.lineBreakpoint(one)) };
  }

  private isOurs(source: DebugProtocol.Source | undefined): boolean {
    const { path } = this;
    if (source?.path === undefined) return source?.sourceReference === 1;
    return path !== null && real(source.path) === real(path);
  }

  private lineBreakpoint(wanted: DebugProtocol.SourceBreakpoint): DebugProtocol.Breakpoint {
    const range = stateAtLine(this.ranges, wanted.line);
    if (range === null)
      return { verified: false, line: wanted.line, message: 'There is no state on this line.' };
    const wish = {
      on: 'entered',
      state: range.state,
      condition: wanted.condition ?? null,
      ...hitOf(wanted.hitCondition),
    } as const;
    return { ...this.place('lines', wish), line: range.line, column: range.column };
  }

  /** Replaces those on states by name: `Train`, `exit Train`, `fail Train`. */
  onStates(args: JsonObject): object {
    const wanted = (args.breakpoints ??
      []) as unknown as readonly DebugProtocol.FunctionBreakpoint[];
    this.forget('functions');
    const names = new Set(this.ranges.map(({ state }) => state));
    const breakpoints = wanted.map(({ name, condition, hitCondition }) => {
      const wish = parseBreakpoint(name);
      if (wish.state !== null && !names.has(wish.state))
        return { verified: false, message: `There is no state '${wish.state}'.` };
      return this.place('functions', {
        ...wish,
        ...(condition ? { condition } : {}),
        ...hitOf(hitCondition),
      });
    });
    return { breakpoints };
  }

  /** Replaces those on failures. */
  onFailures(args: JsonObject): object {
    this.forget('failures');
    for (const filter of (args.filters ?? []) as readonly string[]) {
      this.place('failures', { on: 'failed', state: null, uncaught: filter === 'uncaught' });
    }
    return {};
  }

  private place(group: string, wish: BreakpointWish): DebugProtocol.Breakpoint {
    try {
      const { id } = this.breakpoints.add(wish);
      this.groups.set(group, [...(this.groups.get(group) ?? []), id]);
      return { id, verified: true };
    } catch (error) {
      return { verified: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  private forget(group: string): void {
    for (const id of this.groups.get(group) ?? []) this.breakpoints.remove(id);
    this.groups.delete(group);
  }
}

function hitOf(text: string | undefined): { readonly hit?: number } {
  const count = Number(/\d+/.exec(text ?? '')?.[0]);
  return count > 0 ? { hit: count } : {};
}

function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path);
}
