import type { QueryRecipe } from '../../src/azure/source.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import {
  appendWindow,
  type ChainedWindow,
  findQueryId,
  hashRecipe,
  takeWindowId,
} from '../../src/usage/collection/window-chain.ts';

/** Commits a window by itself, as the collector does with its rows. @returns its number */
export async function addWindow(
  database: LedgerDatabase,
  { recipe, ...window }: Omit<ChainedWindow, 'querySha256'> & { recipe: QueryRecipe },
): Promise<bigint> {
  const queryId = await findQueryId(database, recipe);
  return await database.transaction().execute(async (transaction) => {
    const windowId = await takeWindowId(transaction);
    await appendWindow(transaction, { ...window, querySha256: hashRecipe(recipe) }, { windowId, queryId });
    return windowId;
  });
}
