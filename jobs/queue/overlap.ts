/**
 * Uses items one after the other, in order, while the next one is being made: making and using then cost
 * their maximum, not their sum. At most one item waits. Returns or throws when nothing is under way any more.
 * @throws what making or using throws; after either no further item is used
 */
export async function useWhileMaking<Item>(
  items: AsyncIterable<Item>,
  use: (item: Item) => Promise<void>,
): Promise<void> {
  let using = Promise.resolve();
  try {
    for await (const item of items) {
      await using;
      using = use(item);
      // Heard at the next await of it; until then it must not count as unhandled.
      using.catch(() => {});
    }
  } finally {
    await using;
  }
}
