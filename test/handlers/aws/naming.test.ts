import { describe, expect, it } from 'vitest';
import { exceptionName, packageOf, pascalCase } from '../../../src/handlers/aws/naming.js';

describe('the package of a service', () => {
  it.each([
    ['dynamodb', 'dynamodb'],
    ['sqs', 'sqs'],
    ['sfn', 'sfn'],
    ['events', 'eventbridge'],
    ['eventbridge', 'eventbridge'],
    ['secretsmanager', 'secrets-manager'],
    ['cloudwatchlogs', 'cloudwatch-logs'],
    ['apigateway', 'api-gateway'],
    ['sagemakerruntime', 'sagemaker-runtime'],
    ['cognitoidentityprovider', 'cognito-identity-provider'],
    ['bedrockruntime', 'bedrock-runtime'],
    ['rdsdata', 'rds-data'],
    ['emr-serverless', 'emr-serverless'],
    ['kms', 'kms'],
  ])('of %s is @aws-sdk/client-%s', (service, name) => {
    expect(packageOf(service)).toBe(`@aws-sdk/client-${name}`);
  });
});

describe('names of the SDK for Java 2', () => {
  it.each([
    ['DynamoDB', 'DynamoDb'],
    ['SFN', 'Sfn'],
    ['S3', 'S3'],
    ['EC2', 'Ec2'],
    ['Secrets Manager', 'SecretsManager'],
    ['CloudWatch Logs', 'CloudWatchLogs'],
    ['SESv2', 'SesV2'],
    ['WAFV2', 'Wafv2'],
    ['IoT', 'Iot'],
    ['FSx', 'FSx'],
    ['XRay', 'XRay'],
    ['EventBridge', 'EventBridge'],
    ['Elastic Load Balancing v2', 'ElasticLoadBalancingV2'],
  ])('%s is %s', (serviceId, name) => {
    expect(pascalCase(serviceId)).toBe(name);
  });

  it('every error is an exception', () => {
    expect(exceptionName('InvalidToken')).toBe('InvalidTokenException');
    expect(exceptionName('ResourceNotFoundException')).toBe('ResourceNotFoundException');
    expect(exceptionName('DBInstanceNotFoundFault')).toBe('DBInstanceNotFoundException');
  });
});
