/**
 * Lets those who ask the same at the same time share one read. Every answer comes from a read that began after its
 * asker asked, so nobody sees what was true before: sharing saves reads and costs no freshness.
 */
export function createSharedReads<Key, Value, More extends unknown[] = []>(
  read: (key: Key, ...more: More) => Promise<Value>,
): (key: Key, ...more: More) => Promise<Value> {
  const running = new Map<Key, Promise<Value>>();
  const waiting = new Map<Key, Promise<Value>>();
  const start = (key: Key, more: More): Promise<Value> => {
    const reading = read(key, ...more).finally(() => {
      if (running.get(key) === reading) running.delete(key);
    });
    running.set(key, reading);
    return reading;
  };
  return (key, ...more) => {
    const current = running.get(key);
    if (current === undefined) return start(key, more);
    const shared =
      waiting.get(key) ??
      current
        .catch(() => {})
        .then(() => {
          waiting.delete(key);
          return start(key, more);
        });
    waiting.set(key, shared);
    return shared;
  };
}
