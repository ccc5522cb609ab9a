/** What the API must know about definitions, injected by whoever assembles the server. */
import type { Diagnostic } from '../core/diagnostic.js';
import type { JsonObject } from '../lib/json.js';

export type MachineType = 'STANDARD' | 'EXPRESS';

export interface Definitions {
  /** `definition` is null when the text is not a JSON object. */
  validate(
    text: string,
    options: { readonly type: MachineType },
  ): {
    readonly definition: JsonObject | null;
    readonly diagnostics: readonly Diagnostic[];
  };
  /** One state's definition; `definition` is the machine around it, the state named `StateName`. */
  validateState: Definitions['validate'];
  /** State name -> sorted names of the variables it reads; states that read none are absent. */
  variableReferences(definition: JsonObject): { readonly [state: string]: readonly string[] };
  /** It uses JSONata or assigns variables. */
  isSinceVariables(definition: JsonObject): boolean;
}
