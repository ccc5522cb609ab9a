/** The handlers that watch a model in service and decide when it must learn again. */
import type { Handler } from '../../handler.js';
import { baselineHandlers } from './baseline.js';
import { feedbackDataHandlers } from './feedback-data.js';
import type { MonitorOptions } from './parts.js';
import { qualityHandler } from './quality.js';
import { triggerHandlers, type TriggerOptions } from './trigger.js';

export function monitorHandlers(options: MonitorOptions & TriggerOptions): Handler[] {
  return [
    ...baselineHandlers(options),
    qualityHandler(options),
    ...feedbackDataHandlers(options),
    ...triggerHandlers(options),
  ];
}
