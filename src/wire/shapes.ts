/** Shapes of request members, and the TypeScript type each stands for. */

export interface StringShape {
  readonly type: 'string';
  readonly min?: number;
  readonly max?: number;
  /** As AWS prints it in the message. */
  readonly pattern?: string;
  /** In the order in which AWS prints it. */
  readonly enum?: readonly string[];
  /** AWS leaves the value out of the message. */
  readonly sensitive?: true;
  /** Carries a payload of an execution: an installation may lift its length. */
  readonly payload?: boolean;
}
export interface NumberShape {
  readonly type: 'integer' | 'float';
  readonly min?: number;
  readonly max?: number;
}
export interface BooleanShape {
  readonly type: 'boolean';
}
export interface ListShape {
  readonly type: 'list';
  readonly of: Shape;
  readonly min?: number;
  readonly max?: number;
}
export interface StructureShape {
  readonly type: 'structure';
  /** AWS's name of the shape: values of it are printed as `Name(member=value)`. */
  readonly name: string;
  readonly required: readonly string[];
  readonly members: { readonly [member: string]: Shape };
}
export type Shape = StringShape | NumberShape | BooleanShape | ListShape | StructureShape;

export type ValueOf<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: 'string' }
    ? string
    : S extends { readonly type: 'integer' | 'float' }
      ? number
      : S extends { readonly type: 'boolean' }
        ? boolean
        : S extends { readonly type: 'list'; readonly of: infer O }
          ? readonly ValueOf<O>[]
          : S extends { readonly members: infer M; readonly required: readonly (infer R)[] }
            ? Members<M, R>
            : never;

type Members<M, R> = {
  readonly [K in keyof M as K extends R ? K : never]: ValueOf<M[K]>;
} & {
  readonly [K in keyof M as K extends R ? never : K]?: ValueOf<M[K]> | undefined;
};
