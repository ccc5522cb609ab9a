/** Walks the pages of a store's lists one item at a time, so that nothing holds a whole list. */

const BATCH = 200;

/** A page, and the token of the next one; null after the last. */
interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export async function* everyItem<T>(
  read: (limit: number, token: string | null) => Promise<Page<T>>,
): AsyncGenerator<T> {
  for (let token: string | null = null; ; ) {
    const page: Page<T> = await read(BATCH, token);
    yield* page.items;
    if (page.next === null) return;
    token = page.next;
  }
}
