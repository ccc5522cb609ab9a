/** Which resources run as Kubernetes Jobs, as the configuration says, whatever does them otherwise. */
import type { KubernetesConfig, OpenCluster } from '../handlers/kubernetes/client.js';
import { asJob } from '../handlers/kubernetes/task-job.js';
import type { Registry } from '../handlers/registry.js';
import { resourceGlobs } from '../workers/resource-globs.js';

export function onCluster(
  registry: Registry,
  config: KubernetesConfig,
  open: OpenCluster,
): Registry {
  const rules = Object.entries(config.tasks ?? {}).map(([glob, job]) => ({
    serves: resourceGlobs([glob]).serves,
    job,
  }));
  if (rules.length === 0) return registry;
  return {
    ...registry,
    resolve: (resource) => {
      const found = registry.resolve(resource);
      const rule = rules.find(({ serves }) => serves(resource));
      if (found === null || found.handler === null || rule === undefined) return found;
      return { ...found, handler: asJob(found.handler, rule.job, config, open) };
    },
  };
}
