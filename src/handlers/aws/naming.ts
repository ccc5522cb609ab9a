/**
 * Names: from the service in a Resource to the npm package that calls it, and from the SDK's names to
 * those AWS writes into errors. AWS runs the SDK for Java 2, so its naming rules decide.
 */

/** `@aws-sdk/client-…` of services that the Resource writes as one word (the SDK for Java's packages). */
const PACKAGES: ReadonlyMap<string, string> = new Map(
  `access-analyzer acm-pca api-gateway app-mesh application-auto-scaling application-discovery-service
  application-insights application-signals auto-scaling auto-scaling-plans backup-gateway bedrock-agent
  bedrock-agent-runtime bedrock-agentcore bedrock-agentcore-control bedrock-data-automation
  bedrock-data-automation-runtime bedrock-runtime chime-sdk-identity chime-sdk-media-pipelines
  chime-sdk-meetings chime-sdk-messaging chime-sdk-voice cleanroomsml cloud9 cloudcontrol
  cloudfront-keyvaluestore cloudhsm-v2 cloudsearch-domain cloudtrail-data cloudwatch-events
  cloudwatch-logs codeartifact codeguru-reviewer codeguru-security codeguruprofiler codestar-connections
  codestar-notifications cognito-identity cognito-identity-provider cognito-sync compute-optimizer
  config-service connect-contact-lens cost-and-usage-report-service cost-explorer
  cost-optimization-hub customer-profiles data-pipeline database-migration-service device-farm
  devops-guru direct-connect directory-service directory-service-data dynamodb-streams ec2-instance-connect
  ecr-public elastic-beanstalk elastic-load-balancing elastic-load-balancing-v2 elastic-transcoder
  emr-containers emr-serverless global-accelerator groundstation iot-data-plane iot-events
  iot-events-data iot-jobs-data-plane iot-wireless iotdeviceadvisor iotfleethub iotsecuretunneling
  ivs-realtime kendra-ranking kinesis-analytics kinesis-analytics-v2 kinesis-video
  kinesis-video-archived-media kinesis-video-media kinesis-video-signaling
  kinesis-video-webrtc-storage lex-model-building-service lex-models-v2 lex-runtime-service
  lex-runtime-v2 license-manager license-manager-linux-subscriptions
  license-manager-user-subscriptions location-places machine-learning marketplace-agreement
  marketplace-catalog marketplace-commerce-analytics marketplace-deployment
  marketplace-entitlement-service marketplace-metering mediapackage-vod mediastore-data
  medical-imaging migration-hub migrationhub-config migration-hub-refactor-spaces
  network-firewall payment-cryptography payment-cryptography-data pca-connector-ad
  personalize-events personalize-runtime pinpoint-email pinpoint-sms-voice pinpoint-sms-voice-v2
  qldb-session rds-data redshift-data redshift-serverless resource-explorer-2 resource-groups
  resource-groups-tagging-api route-53 route-53-domains route53-recovery-cluster
  route53-recovery-control-config route53-recovery-readiness route53resolver
  sagemaker-a2i-runtime sagemaker-edge sagemaker-featurestore-runtime sagemaker-geospatial
  sagemaker-metrics sagemaker-runtime secrets-manager security-lake
  serverless-application-repository service-catalog service-catalog-appregistry service-quotas
  ssm-contacts ssm-incidents ssm-sap sso-admin sso-oidc storage-gateway supply-chain
  timestream-influxdb timestream-query timestream-write transcribe-streaming trusted-advisor
  voice-id vpc-lattice waf-regional wellarchitected workdocs workmailmessageflow workspaces-thin-client
  workspaces-web`
    .split(/\s+/)
    .map((name) => [name.replaceAll('-', ''), name]),
);

/** Where the name in a Resource is another one than the package's, hyphens aside. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['events', 'eventbridge'],
  ['cloudwatchevents', 'cloudwatch-events'],
  ['logs', 'cloudwatch-logs'],
  ['states', 'sfn'],
  ['stepfunctions', 'sfn'],
  ['elasticloadbalancingv2', 'elastic-load-balancing-v2'],
  ['config', 'config-service'],
  ['applicationdiscovery', 'application-discovery-service'],
  ['databasemigration', 'database-migration-service'],
  ['costandusagereport', 'cost-and-usage-report-service'],
  ['directory', 'directory-service'],
  ['elasticmapreduce', 'emr'],
  ['lexmodelbuilding', 'lex-model-building-service'],
  ['lexruntime', 'lex-runtime-service'],
  ['marketplaceentitlement', 'marketplace-entitlement-service'],
  ['servicecatalogappregistry', 'service-catalog-appregistry'],
]);

/** The npm package that calls a service; a service of one word is its own package name. */
export function packageOf(service: string): string {
  const plain = service.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const name = OTHER_NAMES.get(plain) ?? PACKAGES.get(plain) ?? service.toLowerCase();
  return `@aws-sdk/client-${name}`;
}

/** `DynamoDB` is `DynamoDb`, `Secrets Manager` `SecretsManager`, `SFN` `Sfn` (SDK for Java 2: pascalCase). */
export function pascalCase(name: string): string {
  return splitWords(name)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())
    .join('');
}

/** The word boundaries of the SDK for Java 2 (`CodegenNamingUtils.splitOnWordBoundaries`). */
function splitWords(name: string): readonly string[] {
  return name
    .replaceAll(/[^A-Za-z0-9]+/g, ' ')
    .replaceAll(/([^a-z]{2,})v([0-9]+)/g, '$1 v$2 ')
    .replaceAll(/([^A-Z]{2,})V([0-9]+)/g, '$1 V$2 ')
    .replaceAll(/(?<=[a-z])(?=[A-Z][a-zA-Z0-9])/g, ' ')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .replaceAll(/([0-9])([a-zA-Z])/g, '$1 $2')
    .split(' ')
    .filter((word) => word !== '');
}

/** `InvalidToken` is `InvalidTokenException`, `ServiceFault` `ServiceException`; exceptions stay. */
export function exceptionName(shape: string): string {
  if (shape.endsWith('Exception')) return shape;
  if (shape.endsWith('Fault')) return `${shape.slice(0, -'Fault'.length)}Exception`;
  return `${shape}Exception`;
}

export function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
