/** Instants that a recorded case names relative to its start, where virtual time begins. */
import { VIRTUAL_EPOCH } from './virtual-clock.js';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `${now+5s}` everywhere in the case: UTC without fraction and zone. */
export function withTimes<T>(recorded: T): T {
  const text = JSON.stringify(recorded).replace(
    /\$\{now([+-]\d+)([smhd])\}/g,
    (_, count: string, unit: string) =>
      new Date(VIRTUAL_EPOCH + Number(count) * (SECONDS[unit] ?? 1) * 1000)
        .toISOString()
        .slice(0, 19),
  );
  return JSON.parse(text) as T;
}
