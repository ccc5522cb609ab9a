/** A real client of the Debug Adapter Protocol talks to `stepwell debug --dap`. */
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUILT, FROM_SOURCE, Folder } from '../../support/command-line.js';
import { existsSync } from 'node:fs';

const PROGRAM = existsSync(BUILT[0] as string) ? BUILT : FROM_SOURCE;

const MACHINE = `{
  "StartAt": "Order",
  "States": {
    "Order": {
      "Type": "Pass",
      "Assign": { "total": 3 },
      "Next": "Pay"
    },
    "Pay": {
      "Type": "Task",
      "Resource": "arn:aws:lambda:us-east-1:123456789012:function:pay",
      "Retry": [{ "ErrorEquals": ["Busy"], "MaxAttempts": 1 }],
      "ResultPath": "$.paid",
      "Next": "Each"
    },
    "Each": {
      "Type": "Map",
      "ItemsPath": "$.items",
      "ItemProcessor": {
        "StartAt": "Pack",
        "States": {
          "Pack": { "Type": "Pass", "Next": "Ship" },
          "Ship": { "Type": "Pass", "End": true }
        }
      },
      "ResultPath": "$.shipped",
      "Next": "Done"
    },
    "Done": { "Type": "Succeed" }
  }
}
`;
const LINE = { Order: 4, Pay: 9, Each: 16, Pack: 22, Ship: 23, Done: 29 } as const;

let folder: Folder;
let client: DebugClient;
let child: ChildProcess;
let program: string;

beforeEach(async () => {
  folder = new Folder();
  program = join(folder.path, folder.write('order.asl.json', MACHINE));
  client = new DebugClient('', '', 'stepwell');
  child = folder.start(['debug', '--dap'], PROGRAM);
  // The client starts no program with arguments: it is given the streams of ours.
  const streams = client as unknown as {
    connect(read: NodeJS.ReadableStream | null, write: NodeJS.WritableStream | null): void;
  };
  streams.connect(child.stdout, child.stdin);
});
afterEach(async () => {
  child.kill('SIGKILL');
  folder.remove();
});

async function launch(
  args: object,
  configure: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const initialized = client.waitForEvent('initialized');
  await client.initializeRequest({
    adapterID: 'stepwell',
    linesStartAt1: true,
    pathFormat: 'path',
  });
  await client.launchRequest({ program, input: { items: [1, 2] }, ...args } as never);
  await initialized;
  await configure();
  await client.configurationDoneRequest();
}

const stopped = (): ReturnType<DebugClient['waitForEvent']> => client.waitForEvent('stopped');

describe('an editor', () => {
  it('stops on lines, looks around, changes a value, steps and goes back', async () => {
    const first = stopped();
    await launch({ stopOnEntry: false }, async () => {
      const { body } = await client.setBreakpointsRequest({
        source: { path: program },
        breakpoints: [{ line: LINE.Pay + 2 }, { line: LINE.Ship, condition: '$ = 2' }, { line: 1 }],
      });
      expect(body.breakpoints.map(({ verified, line }) => [verified, line])).toEqual([
        [true, LINE.Pay],
        [true, LINE.Ship],
        [false, 1],
      ]);
    });
    const at = (await first).body;
    expect(at).toMatchObject({ reason: 'breakpoint', allThreadsStopped: true, threadId: 1 });
    const stack = await client.stackTraceRequest({ threadId: 1 });
    expect(stack.body.stackFrames[0]).toMatchObject({
      name: 'Pay',
      line: LINE.Pay,
      source: { path: program },
    });
    const frameId = stack.body.stackFrames[0]?.id ?? 0;
    const { scopes } = (await client.scopesRequest({ frameId })).body;
    expect(scopes.map(({ name }) => name)).toEqual([
      'Input',
      'Output',
      'Variables',
      'Context',
      'Data flow',
    ]);
    const inputReference = scopes[0]?.variablesReference ?? 0;
    const input = await client.variablesRequest({ variablesReference: inputReference });
    expect(input.body.variables[0]).toMatchObject({ name: 'items', value: '[1,2]', type: 'array' });
    const items = await client.variablesRequest({
      variablesReference: input.body.variables[0]?.variablesReference ?? 0,
    });
    expect(items.body.variables.map(({ value }) => value)).toEqual(['1', '2']);
    const answer = await client.evaluateRequest({ expression: '$total + 1', frameId });
    expect(answer.body.result).toBe('4');
    const set = await client.setVariableRequest({
      variablesReference: inputReference,
      name: 'items',
      value: '[1,2,3]',
    });
    expect(set.body.value).toBe('[1,2,3]');
    const second = stopped();
    await client.nextRequest({ threadId: 1 });
    await second;
    expect((await client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0]?.name).toBe(
      'Each',
    );
    const inside = stopped();
    await client.stepInRequest({ threadId: 1 });
    const { threadId } = (await inside).body;
    const inner = await client.stackTraceRequest({ threadId });
    expect(inner.body.stackFrames.map(({ name }) => name)).toEqual([
      'Pack (root › Each[0])',
      'Each',
    ]);
    expect((await client.threadsRequest()).body.threads).toHaveLength(4);
    const conditional = stopped();
    await client.continueRequest({ threadId });
    const hit = (await conditional).body;
    expect(
      (await client.stackTraceRequest({ threadId: hit.threadId })).body.stackFrames[0]?.name,
    ).toBe('Ship (root › Each[1])');
    const out = stopped();
    await client.stepOutRequest({ threadId: hit.threadId });
    await out;
    expect((await client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0]?.name).toBe(
      'Done',
    );
    const back = stopped();
    await client.stepBackRequest({ threadId: 1 });
    await back;
    expect((await client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0]?.name).toBe(
      'Each',
    );
    const reverse = stopped();
    await client.reverseContinueRequest({ threadId: 1 });
    expect((await reverse).body.reason).toBe('breakpoint');
    await client.setBreakpointsRequest({ source: { path: program }, breakpoints: [] });
    const ended = Promise.all([client.waitForEvent('exited'), client.waitForEvent('terminated')]);
    await client.continueRequest({ threadId: 1 });
    expect((await ended)[0].body.exitCode).toBe(0);
    const left = new Promise((resolve) => child.once('exit', resolve));
    await client.disconnectRequest();
    expect(await left).toBe(0);
  });

  it('stops at failures it asks for, and tells what failed', async () => {
    const entry = stopped();
    await launch({}, async () => {
      await client.setExceptionBreakpointsRequest({ filters: ['all'] });
      const { body } = await client.setFunctionBreakpointsRequest({
        breakpoints: [{ name: 'Nope' }, { name: 'exit Order' }],
      });
      expect(body.breakpoints.map(({ verified }) => verified)).toEqual([false, true]);
    });
    expect((await entry).body.reason).toBe('entry');
    const left = stopped();
    await client.continueRequest({ threadId: 1 });
    expect((await left).body.text).toBe('After Order.');
    const result = await client.evaluateRequest({
      expression: 'set error Busy later',
      context: 'repl',
    });
    expect(result.body.result).toBe('changed');
    const failed = stopped();
    await client.continueRequest({ threadId: 1 });
    expect((await failed).body).toMatchObject({
      reason: 'exception',
      text: 'Pay failed: Busy: later (retry).',
    });
    const info = await client.customRequest('exceptionInfo', { threadId: 1 });
    expect(info.body).toMatchObject({
      exceptionId: 'Busy',
      description: 'later',
      breakMode: 'always',
    });
    const output = client.waitForEvent('output');
    const over = client.waitForEvent('terminated');
    await client.continueRequest({ threadId: 1 });
    expect((await output).body.output).toContain('Pay');
    await over;
  });

  it('is told what is wrong, and goes on', async () => {
    await client.initializeRequest();
    await expect(
      client.launchRequest({ program: join(folder.path, 'no.json') } as never),
    ).rejects.toThrow(/no state machine/);
    await expect(client.customRequest('readMemory', {})).rejects.toThrow(/not supported/);
    await expect(client.evaluateRequest({ expression: '1' })).rejects.toThrow(/launch or attach/);
    await client.launchRequest({ program, input: {} } as never);
    await client.terminateRequest();
  });

  it('attaches to a finished execution, whose definition it fetches', async () => {
    folder.write('pass.asl.json', {
      StartAt: 'A',
      States: { A: { Type: 'Pass', Next: 'B' }, B: { Type: 'Pass', End: true } },
    });
    await folder.run(['run', 'pass.asl.json', '--name', 'past'], '', PROGRAM);
    const entry = stopped();
    const initialized = client.waitForEvent('initialized');
    await client.initializeRequest();
    await client.attachRequest({ execution: 'past' } as never);
    await initialized;
    await client.configurationDoneRequest();
    await entry;
    const { source } = (await client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0] ?? {};
    expect(source?.sourceReference).toBe(1);
    const text = await client.sourceRequest({ sourceReference: 1 });
    expect(text.body.content).toContain('"StartAt"');
    const end = stopped();
    await client.continueRequest({ threadId: 1 });
    expect((await end).body.text).toContain('SUCCEEDED');
    const back = stopped();
    await client.stepBackRequest({ threadId: 1 });
    await back;
    expect((await client.stackTraceRequest({ threadId: 1 })).body.stackFrames[0]?.name).toBe('B');
    const { scopes } = (await client.scopesRequest({ frameId: 1 })).body;
    await expect(
      client.setVariableRequest({
        variablesReference: scopes[0]?.variablesReference ?? 0,
        name: '$',
        value: '1',
      }),
    ).rejects.toThrow(/recorded/);
  });
});

describe('the port', () => {
  it('serves one editor after the other, and hangs up on what is no editor', async () => {
    const server = folder.start(['debug', '--dap-port', '0'], PROGRAM);
    const port = await new Promise<number>((resolve) => {
      server.stderr?.on('data', (text: Buffer) => {
        const found = /127\.0\.0\.1:(\d+)/.exec(String(text));
        if (found !== null) resolve(Number(found[1]));
      });
    });
    const answer = await new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}'),
      );
      socket.on('data', (text) => {
        got += String(text);
      });
      socket.on('close', () => resolve(got));
      socket.on('error', () => resolve(got));
    });
    expect(answer).toBe('');
    for (let time = 0; time < 2; time++) {
      const editor = new DebugClient('', '', 'stepwell');
      await editor.start(port);
      const ready = editor.waitForEvent('initialized');
      await editor.initializeRequest();
      await editor.launchRequest({ program, input: { items: [] } } as never);
      await ready;
      const entry = editor.waitForEvent('stopped');
      await editor.configurationDoneRequest();
      expect((await entry).body.reason).toBe('entry');
      await editor.disconnectRequest();
    }
    const left = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    expect(await left).toBe(0);
  });
});
