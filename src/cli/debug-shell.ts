/** The debugger on the command line: a prompt for people, lines from a script, or JSON lines. */
import { createInterface } from 'node:readline';
import type { FrameId } from '../lib/brand.js';
import { BadCommand, type DebugCommand, HELP, parseCommand } from '../simulate/debug/commands.js';
import type { Stop } from '../simulate/debug/stops.js';
import { Immutable } from '../simulate/debug/timeline.js';
import { lastVisit, stackOf, threadsOf } from '../simulate/debug/view.js';
import { projectHistory } from '../wire/history.js';
import { breakpointText, callsOf, shallow, stopLine, stopText } from './debug-text.js';
import type { OpenedDebugger } from './debugging.js';
import { explainLines } from './explain-view.js';
import { EXIT } from './problem.js';
import { bold, cyan, dim, green, red } from './style.js';

export interface ShellOptions {
  readonly json: boolean;
  readonly breaks: readonly string[];
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: { write(text: string): unknown };
}

/** Runs until the input ends or a person quits; resolves to the exit status. */
export async function debugShell(opened: OpenedDebugger, options: ShellOptions): Promise<number> {
  const shell = new Shell(opened, options);
  return shell.run();
}

class Shell {
  /** The thread a person looks at: that of the last stop, unless another was chosen. */
  private frame: FrameId | null = null;
  private busy = false;

  constructor(
    private readonly opened: OpenedDebugger,
    private readonly options: ShellOptions,
  ) {}

  private get session() {
    return this.opened.session;
  }

  async run(): Promise<number> {
    const { input, breaks } = this.options;
    for (const text of breaks) await this.guard(`break ${text}`);
    this.tellStop(await this.session.begin());
    const isTerminal = input.isTTY === true && !this.options.json;
    const lines = createInterface({
      input,
      terminal: isTerminal,
      ...(isTerminal ? { output: process.stdout } : {}),
    });
    lines.setPrompt(this.prompt());
    lines.on('SIGINT', () => {
      if (this.busy) this.session.pause();
      else lines.close();
    });
    if (isTerminal) lines.prompt();
    for await (const line of lines) {
      if (!isTerminal && !this.options.json && line.trim() !== '')
        this.say(`${this.prompt()}${line}`);
      if (await this.guard(line)) break;
      if (isTerminal) lines.prompt();
    }
    lines.close();
    const status = this.session.execution?.status;
    await this.opened.close(this.session.timeline.kind === 'simulation');
    return status === undefined || status === 'RUNNING' || status === 'SUCCEEDED'
      ? EXIT.succeeded
      : EXIT.failed;
  }

  private prompt(): string {
    return `${cyan('(debug)')} `;
  }

  /** True when the person is done. A mistake is told, and nothing else happens. */
  private async guard(line: string): Promise<boolean> {
    this.busy = true;
    try {
      const command = parseCommand(line);
      if (command?.do === 'quit') return true;
      if (command !== null) await this.obey(command);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const mend = error instanceof Immutable ? error.mend : null;
      if (this.options.json)
        this.emit({ type: 'error', message, ...(mend === null ? {} : { mend }) });
      else this.say(`${red('error')} ${message}${mend === null ? '' : `\n  ${mend}`}`);
      if (!(error instanceof BadCommand || error instanceof Immutable || error instanceof Error))
        throw error;
    } finally {
      this.busy = false;
    }
    return false;
  }

  private async obey(command: DebugCommand): Promise<void> {
    const { session } = this;
    const of = this.frame ?? session.focus();
    switch (command.do) {
      case 'step':
        return this.tellStop(await session.step(command.how, of));
      case 'back':
        return this.tellStop(await session.back(command.how, of));
      case 'continue':
        return this.tellStop(await session.continue());
      case 'reverse':
        return this.tellStop(await session.reverseContinue());
      case 'finish':
        return this.finish();
      case 'break': {
        this.checkState(command.wish.state);
        const { id } = session.breakpoints.add(command.wish);
        return this.tell(
          { type: 'breakpoint', id, ...command.wish },
          `breakpoint ${id}: ${breakpointText(session.breakpoints, id)}`,
        );
      }
      case 'delete':
        if (!session.breakpoints.remove(command.id))
          throw new BadCommand(`There is no breakpoint ${command.id}.`);
        return this.tell({ type: 'deleted', id: command.id }, `deleted ${command.id}`);
      case 'breaks':
        for (const { id, hits } of session.breakpoints.list()) {
          this.tell(
            { type: 'breakpoint', id, hits },
            `${id}: ${breakpointText(session.breakpoints, id)}${dim(`  ${hits} hits`)}`,
          );
        }
        return;
      case 'print': {
        const value = await session.evaluate(command.expression, of);
        return this.tell({ type: 'value', value }, JSON.stringify(value, null, 2));
      }
      case 'set':
        await session.edit({ frame: of, ...command.edit });
        return this.tell({ type: 'edited', ...command.edit }, green('changed'));
      case 'patch':
        await session.patch(of, command.path, command.value);
        return this.tell(
          { type: 'edited', path: command.path, value: command.value },
          green('changed'),
        );
      case 'result':
      case 'error':
        return this.override(command);
      case 'thread': {
        const chosen = threadsOf(session)[command.number - 1];
        if (chosen === undefined)
          throw new BadCommand(`There is no thread ${command.number}. threads lists them.`);
        this.frame = chosen.frame;
        return this.tell({ type: 'thread', ...chosen }, `${chosen.place}: ${chosen.state}`);
      }
      default:
        return this.show(command.do, of);
    }
  }

  private async show(
    what: Exclude<DebugCommand, { how: string }>['do'],
    of: FrameId,
  ): Promise<void> {
    const { session } = this;
    switch (what) {
      case 'help':
        return this.say(HELP);
      case 'where': {
        const stack = stackOf(session, of);
        const lines = stack.map(
          ({ state, place, phase }, index) =>
            `${index === 0 ? cyan('▸') : ' '} ${bold(state)} ${dim(`${place} (${phase})`)}`,
        );
        return this.tell({ type: 'stack', frames: stack }, lines.join('\n'));
      }
      case 'threads': {
        const threads = threadsOf(session);
        const lines = threads.map(
          ({ frame, place, state, phase }, index) =>
            `${frame === of ? cyan('▸') : ' '} ${index + 1}  ${place}  ${bold(state)} ${dim(phase)}`,
        );
        return this.tell({ type: 'threads', threads }, lines.join('\n'));
      }
      case 'list':
        return this.list(of);
      case 'explain': {
        const visit = await lastVisit(session, of);
        if (visit === null) return this.say('No state was entered yet.');
        return this.tell(
          { type: 'visit', ...visit },
          explainLines([visit], process.stdout.columns ?? 110)
            .join('\n')
            .trimEnd(),
        );
      }
      case 'history':
        for (const { details, ...head } of projectHistory(session.facts)) {
          const event = { ...head, ...(details === null ? {} : { [details.name]: details.value }) };
          this.tell(
            { type: 'event', event },
            `${String(head.id).padStart(4)} ${bold(head.type)} ${dim(String(details?.value.name ?? ''))}`,
          );
        }
        return;
      case 'mocks':
        return this.mocks();
      default:
    }
  }

  private async finish(): Promise<void> {
    const { breakpoints } = this.session;
    const kept = breakpoints.list();
    for (const { id } of kept) breakpoints.remove(id);
    this.tellStop(await this.session.continue());
    for (const wish of kept) breakpoints.add(wish);
  }

  private async override(
    command: Extract<DebugCommand, { do: 'result' | 'error' }>,
  ): Promise<void> {
    const state = command.state ?? this.session.ahead(this.frame ?? this.session.focus());
    const made =
      command.do === 'result'
        ? { output: command.output }
        : { failure: { error: command.error, cause: command.cause } };
    await this.session.override(state, made);
    this.tell({ type: 'override', state, ...made }, `${state} will be answered with this, once`);
  }

  /** Calls and their answers so far. */
  private mocks(): void {
    for (const { call, answer } of callsOf(this.session.facts)) {
      this.tell({ type: 'call', call, answer }, `${call} ${dim('→')} ${answer.slice(0, 120)}`);
    }
  }

  /** The definition of the state that is looked at. */
  private list(of: FrameId): void {
    const { session } = this;
    const block = session.execution?.frames.get(of)?.block ?? '';
    const name =
      session.stop?.frame === of
        ? session.stop.state
        : (session.execution?.frames.get(of)?.state ?? '');
    const state = session.machine.blocks.get(block)?.states.get(name);
    if (state === undefined) throw new BadCommand('There is no state here.');
    this.tell(
      { type: 'definition', state: name, definition: shallow(state.definition) },
      `"${name}": ${JSON.stringify(shallow(state.definition), null, 2)}`,
    );
  }

  private checkState(state: string | null): void {
    if (state === null) return;
    const names = [...this.session.machine.blocks.values()].flatMap(({ states }) => [
      ...states.keys(),
    ]);
    if (!names.includes(state))
      throw new BadCommand(`There is no state '${state}'. There are ${names.join(', ')}.`);
  }

  private tellStop(stop: Stop): void {
    this.frame = null;
    if (this.options.json) this.emit(stopLine(this.session, stop));
    else this.say(stopText(this.session, stop));
  }

  private tell(line: object, text: string): void {
    if (this.options.json) this.emit(line);
    else this.say(text);
  }

  private say(text: string): void {
    if (!this.options.json) this.options.output.write(`${text}\n`);
  }

  private emit(line: object): void {
    this.options.output.write(`${JSON.stringify(line)}\n`);
  }
}
