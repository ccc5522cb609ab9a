/** What an editor may ask of the adapter. */
import type { DebugProtocol } from '@vscode/debugprotocol';

export const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsEvaluateForHovers: true,
  supportsStepBack: true,
  supportsSetVariable: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportsExceptionInfoRequest: true,
  exceptionBreakpointFilters: [
    {
      filter: 'all',
      label: 'Any failure',
      description: 'Also those that a retry or a catcher takes.',
      default: false,
    },
    {
      filter: 'uncaught',
      label: 'Uncaught failures',
      description: 'Failures that neither a retry nor a catcher takes.',
      default: true,
    },
  ],
};
