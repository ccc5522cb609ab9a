/** What the server and a serving child say to each other over the process channel. */

export interface Prediction {
  readonly label: string;
  readonly score: number;
  /** One score for each label, in the order of the model's labels. */
  readonly scores: readonly number[];
}

/** What a child loads a model with; `src/ml/encoder/classifier.ts` is one such module. */
export interface ClassifierModule {
  loadClassifier(folder: string, options: { readonly threads: number }): Promise<LoadedClassifier>;
}

export interface LoadedClassifier {
  readonly labels: readonly string[];
  predict(texts: string[]): Promise<readonly RawPrediction[]> | readonly RawPrediction[];
  /** Pooled vectors; only of models that have them. */
  embed?(texts: string[]): Promise<readonly ArrayLike<number>[]>;
  close(): Promise<void> | void;
}

export interface RawPrediction {
  readonly label: string;
  readonly score: number;
  readonly scores: ArrayLike<number> | Readonly<Record<string, number>>;
}

export type ToChild =
  | { readonly type: 'predict'; readonly id: number; readonly texts: readonly string[] }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'embed'; readonly id: number; readonly texts: readonly string[] }
  | { readonly type: 'ping' }
  | { readonly type: 'stop' };

export type FromChild =
  | { readonly type: 'ready'; readonly labels: readonly string[]; readonly loadMs: number }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'pong' }
  | {
      readonly type: 'vectors';
      readonly id: number;
      readonly vectors: readonly (readonly number[])[];
    }
  | { readonly type: 'result'; readonly id: number; readonly predictions: readonly Prediction[] }
  | { readonly type: 'error'; readonly id: number; readonly message: string };
