/** aws-local-stepfunctions calls Promise.withResolvers, which Node 20 does not have. */
type Resolvers = { promise: Promise<unknown>; resolve: unknown; reject: unknown };

(Promise as unknown as { withResolvers?: () => Resolvers }).withResolvers ??= () => {
  let resolve: unknown;
  let reject: unknown;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};
