/** `sagemaker:createEndpointConfig` done here: which models an endpoint serves, and what it captures. */
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { MAX_INSTANCES, type PartialSettings } from '../../serving/index.js';
import type { HandlerContext } from '../handler.js';
import { Findings } from './errors.js';
import { modelRecord } from './models.js';
import { recorded } from './named.js';
import type { SageMakerOptions } from './options.js';

export async function createEndpointConfig(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const findings = new Findings(context);
  findings.name('EndpointConfigName', parameters.EndpointConfigName);
  const variants = isArray(parameters.ProductionVariants) ? parameters.ProductionVariants : [];
  if (variants.length === 0) findings.missing('ProductionVariants');
  for (const [index, variant] of variants.entries()) checkVariant(findings, index, variant);
  refuseUnserved(findings, parameters);
  findings.raise();
  for (const variant of variants as JsonObject[]) {
    await modelRecord(String(variant.ModelName), context, options);
  }
  const name = parameters.EndpointConfigName as string;
  const where = { context, options };
  return {
    EndpointConfigArn: await recorded('endpoint-configs', name, { request: parameters }, where),
  };
}

function checkVariant(findings: Findings, index: number, variant: Json): void {
  const at = `ProductionVariants.${index + 1}.member`;
  if (!isObject(variant)) return findings.missing(at);
  findings.name(`${at}.variantName`, variant.VariantName);
  findings.name(`${at}.modelName`, variant.ModelName);
  const count = variant.InitialInstanceCount ?? 1;
  if (typeof count !== 'number' || !(count >= 1 && count <= MAX_INSTANCES)) {
    findings.constraint(
      `${at}.initialInstanceCount`,
      count,
      `Member must be between 1 and ${MAX_INSTANCES} on this host`,
    );
  }
  const weight = variant.InitialVariantWeight ?? 1;
  if (typeof weight !== 'number' || !(weight >= 0)) {
    findings.constraint(
      `${at}.initialVariantWeight`,
      weight,
      'Member must be greater than or equal to 0',
    );
  }
}

/** What is not done here is refused: a promise that nothing keeps would be found out too late. */
function refuseUnserved(findings: Findings, parameters: JsonObject): void {
  const shadows = parameters.ShadowProductionVariants;
  if (isArray(shadows) && shadows.length > 0) {
    findings.add(
      "Value at 'shadowProductionVariants': shadows are started by a rollout here (state-machines/ml-rollout-shadow.asl.json)",
    );
  }
  const capture = parameters.DataCaptureConfig;
  const sampling = isObject(capture) ? (capture.InitialSamplingPercentage ?? 100) : 100;
  if (typeof sampling !== 'number' || !(sampling >= 0 && sampling <= 100)) {
    findings.constraint(
      'dataCaptureConfig.initialSamplingPercentage',
      sampling,
      'Member must be between 0 and 100',
    );
  }
}

/** What SageMaker's DataCaptureConfig means here; captured data stays below `.stepwell`, not in S3. */
export function captureOf(config: JsonObject): PartialSettings {
  const capture = config.DataCaptureConfig;
  if (!isObject(capture) || capture.EnableCapture !== true) return { capture: null };
  const { InitialSamplingPercentage: sampling, CaptureOptions: options } = capture;
  const modes = (isArray(options) ? options : []).flatMap((option) => {
    const mode = isObject(option) ? option.CaptureMode : null;
    return mode === 'InputAndOutput' ? ['Input', 'Output'] : [String(mode)];
  });
  const known = (['Input', 'Output'] as const).filter((mode) => modes.includes(mode));
  return {
    capture: {
      samplingPercentage: typeof sampling === 'number' ? sampling : 100,
      modes: known.length === 0 ? ['Input', 'Output'] : known,
    },
  };
}
