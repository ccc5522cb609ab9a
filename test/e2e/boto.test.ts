/** boto3, where it is installed: a script that uses one client for a whole life of a machine. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { FAIL, PASS, ROLE, startHarness } from '../api/harness.js';

const run = promisify(execFile);

function isInstalled(): boolean {
  try {
    execFileSync('python3', ['-c', 'import boto3'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const SCRIPT = `
import boto3, json, sys, time
from botocore.config import Config
url, passing, failing, role = sys.argv[1:]
config = Config(inject_host_prefix=False, retries={'max_attempts': 0})
sfn = boto3.client('stepfunctions', endpoint_url=url, region_name='us-east-1',
                   aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='secret/key+', config=config)
machine = sfn.create_state_machine(name='boto', definition=passing, roleArn=role, publish=True)
arn = machine['stateMachineArn']
alias = sfn.create_state_machine_alias(name='live', routingConfiguration=[
    {'stateMachineVersionArn': machine['stateMachineVersionArn'], 'weight': 100}])
sfn.tag_resource(resourceArn=arn, tags=[{'key': 'team', 'value': 'ml'}])
runs = [sfn.start_execution(stateMachineArn=alias['stateMachineAliasArn'], name='r%d' % i)['executionArn'] for i in range(5)]
while any(sfn.describe_execution(executionArn=r)['status'] == 'RUNNING' for r in runs):
    time.sleep(0.02)
pages = sfn.get_paginator('list_executions').paginate(stateMachineArn=arn, PaginationConfig={'PageSize': 2})
listed = [e['name'] for page in pages for e in page['executions']]
express = sfn.create_state_machine(name='quick', definition=failing, roleArn=role, type='EXPRESS')['stateMachineArn']
sync = sfn.start_sync_execution(stateMachineArn=express)
try:
    sfn.describe_execution(executionArn='nope')
    error = None
except sfn.exceptions.InvalidArn as caught:
    error = str(caught)
sfn.delete_state_machine(stateMachineArn=arn)
print(json.dumps({'listed': listed, 'sync': sync['status'], 'error': error,
                  'start': str(type(sync['startDate']).__name__)}))
`;

test.runIf(isInstalled())("boto3 lives through a machine's life", async () => {
  const accessKeys = [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret/key+' }];
  const server = await startHarness({ config: { accessKeys } });
  try {
    const { stdout } = await run('python3', ['-c', SCRIPT, server.url, PASS, FAIL, ROLE]);
    expect(JSON.parse(stdout)).toEqual({
      listed: ['r4', 'r3', 'r2', 'r1', 'r0'],
      sync: 'FAILED',
      error:
        "An error occurred (InvalidArn) when calling the DescribeExecution operation: Invalid Arn: 'Invalid ARN prefix: nope'",
      start: 'datetime',
    });
  } finally {
    await server.close();
  }
});
