"""Writes schemas/service-outputs/<service>.json: what TestState checks in a mocked result.

Run by a developer when services have gained operations: `python3 scripts/service-outputs.py`. Reads
the service models that the installed botocore carries and names no network host. Only facts are kept
(types, members, required members, bounds, enum values): no documentation text.

A file holds {"operations": {"putItem": 3, ...}, "shapes": [...]}; a number is an index into `shapes`:
  "string" | "number" | "boolean" | "any"          nothing more to check
  {"string": [min, max]}, {"blob": [min, max]}     bounds of the length, null: none
  {"number": [min, max]}                           bounds of the value
  {"enum": [values]}
  {"array": i}, {"map": i}                         of the items, of the values
  {"object": {Member: i}, "required": [Member]}    members as Step Functions names them
"""

import json
import pathlib

import botocore.loaders

TARGET = pathlib.Path(__file__).resolve().parent.parent / "schemas" / "service-outputs"

# botocore's name of every service kept: those with an optimised integration, then those that machines
# call through aws-sdk. All 424 would take 4.8 MB; a mock for one left out is not checked.
SERVICES = """
athena batch bedrock bedrock-runtime codebuild databrew dynamodb ecs eks emr emr-containers
emr-serverless events glue lambda mediaconvert sagemaker sns sqs stepfunctions

accessanalyzer account acm acm-pca amp amplify apigateway apigatewayv2 appconfig appconfigdata appflow
application-autoscaling apprunner appsync auditmanager autoscaling backup bedrock-agent
bedrock-agent-runtime bedrock-agentcore bedrock-data-automation bedrock-data-automation-runtime
budgets ce cloudcontrol cloudformation cloudfront cloudtrail cloudwatch codeartifact codecommit
codeconnections codedeploy codepipeline cognito-identity cognito-idp comprehend comprehendmedical
compute-optimizer config connect connectparticipant controltower cost-optimization-hub cur
dataexchange datapipeline datasync dax detective devops-guru directconnect discovery
dlm dms docdb drs ds dsql dynamodbstreams ebs ec2 ecr ecr-public efs elasticache elasticbeanstalk elb
elbv2 entityresolution es firehose fis fms forecast forecastquery frauddetector fsx
glacier globalaccelerator greengrassv2 guardduty health healthlake iam identitystore imagebuilder
inspector2 iot iot-data iotevents-data iotwireless ivs kafka kafkaconnect kendra keyspaces kinesis
kinesisanalyticsv2 kinesisvideo kms lakeformation lex-runtime lexv2-runtime license-manager
location logs machinelearning macie2 marketplace-catalog medical-imaging memorydb mgn mq mwaa neptune
neptune-graph neptunedata network-firewall networkmanager omics opensearch opensearchserverless
organizations osis personalize personalize-events personalize-runtime pi pinpoint
pipes polly pricing qbusiness ram rds rds-data redshift redshift-data
redshift-serverless rekognition resource-explorer-2 resource-groups resourcegroupstaggingapi
rolesanywhere route53 route53-recovery-cluster route53domains route53resolver s3 s3control s3tables
s3vectors sagemaker-a2i-runtime sagemaker-featurestore-runtime
sagemaker-metrics sagemaker-runtime savingsplans scheduler schemas sdb secretsmanager securityhub
serverlessrepo service-quotas servicecatalog servicediscovery ses sesv2 shield signer sns socialmessaging
ssm ssm-contacts ssm-incidents sso-admin storagegateway sts support swf synthetics textract
timestream-influxdb timestream-query timestream-write transcribe transfer translate verifiedpermissions
vpc-lattice wafv2 workdocs workmail workspaces xray
""".split()

# Service ids whose Step Functions name is not the id in lower case without spaces and hyphens.
NAMES = {
    "Application Discovery Service": "applicationdiscovery",
    "Config Service": "config",
    "Cost and Usage Report Service": "costandusagereport",
    "Database Migration Service": "databasemigration",
    "Directory Service": "directory",
    "Elasticsearch Service": "elasticsearch",
    "Lex Model Building Service": "lexmodelbuilding",
    "Lex Runtime Service": "lexruntime",
    "Marketplace Entitlement Service": "marketplaceentitlement",
}

# The SDK for Java 2 cannot call a getter `null`.
MEMBER_NAMES = {("AttributeValue", "NULL"): "Nul"}

# Bounds that AWS was recorded to check where the model has moved on since
# (test_strict_mode_aws_sdk_lambda_get_function_task[integer_more_than_maximum_allowed]).
RECORDED_BOUNDS = {("lambda", "MemorySize"): {"max": 10240}}

SIMPLE = {
    "string": "string", "character": "string", "timestamp": "string", "blob": "blob",
    "integer": "number", "long": "number", "float": "number", "double": "number",
    "boolean": "boolean",
}


def main():
    loader = botocore.loaders.Loader()
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.glob("*.json"):
        old.unlink()
    folders = sorted(set(SERVICES))
    total = 0
    for folder in folders:
        model = loader.load_service_model(folder, "service-2")
        text = json.dumps(outputs_of(model), separators=(",", ":"), ensure_ascii=False) + "\n"
        (TARGET / f"{service_name(model)}.json").write_text(text, encoding="utf-8")
        total += len(text.encode())
    print(f"{len(folders)} services, {total} bytes in {TARGET}")


def service_name(model):
    service_id = model["metadata"]["serviceId"]
    return NAMES.get(service_id, service_id.lower().replace(" ", "").replace("-", ""))


def outputs_of(model):
    shapes = dict(model["shapes"])
    for (service, name), bounds in RECORDED_BOUNDS.items():
        if service == service_name(model):
            shapes[name] = {**shapes[name], **bounds}
    graph = Graph(shapes)
    operations = {
        uncapitalised(name): graph.index(operation["output"]["shape"])
        for name, operation in sorted(model["operations"].items())
        if "output" in operation
    }
    return {"operations": operations, "shapes": graph.kept}


class Graph:
    """The shapes reached so far; equal simple shapes are kept once."""

    def __init__(self, shapes):
        self.shapes = shapes
        self.kept = []
        self.by_name = {}
        self.by_text = {}

    def index(self, name):
        if name in self.by_name:
            return self.by_name[name]
        shape = self.shapes[name]
        kind = shape["type"]
        if kind in ("structure", "list", "map") and not is_opaque(shape):
            # Known before what it holds is: shapes refer to themselves.
            at = self.by_name[name] = len(self.kept)
            self.kept.append(None)
            self.kept[at] = self.container(name, shape)
            return at
        kept = "any" if is_opaque(shape) else simple(shape)
        text = json.dumps(kept)
        if text not in self.by_text:
            self.by_text[text] = len(self.kept)
            self.kept.append(kept)
        self.by_name[name] = self.by_text[text]
        return self.by_name[name]

    def container(self, name, shape):
        if shape["type"] == "list":
            return {"array": self.index(shape["member"]["shape"])}
        if shape["type"] == "map":
            return {"map": self.index(shape["value"]["shape"])}
        members = {
            member_name(name, member): self.index(of["shape"])
            for member, of in shape["members"].items()
        }
        kept = {"object": members}
        required = [member_name(name, member) for member in shape.get("required", [])]
        if required:
            kept["required"] = required
        return kept


def is_opaque(shape):
    """Documents are any JSON; event streams never become a result."""
    return bool(shape.get("document") or shape.get("eventstream"))


def simple(shape):
    kind = SIMPLE[shape["type"]]
    if "enum" in shape:
        return {"enum": shape["enum"]}
    low, high = shape.get("min"), shape.get("max")
    if shape["type"] in ("timestamp", "boolean"):
        return kind
    # A minimum length of 0 and a negative one say nothing.
    if kind != "number" and low is not None and low <= 0:
        low = None
    if low is None and high is None:
        return "string" if kind == "blob" else kind
    return {kind: [low, high]}


def member_name(shape, member):
    renamed = MEMBER_NAMES.get((shape, member))
    if renamed is not None:
        return renamed
    name = uncapitalised(member)
    return name[0].upper() + name[1:]


def uncapitalised(name):
    """As the SDK for Java 2 does: MD5OfBody is md5OfBody, ETag eTag, DBInstances dbInstances."""
    end = 1
    while end < len(name) and name[end].isupper():
        if end < len(name) - 1 and name[end + 1].islower():
            break
        end += 1
    return name[:end].lower() + name[end:]


if __name__ == "__main__":
    main()
