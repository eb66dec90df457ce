import type { Providers } from '../../../pricing/usage/providers.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readUnnamedModels } from '../../quarantine/items.ts';
import type { Finding } from './checks.ts';

/** Models whose usage waits because nobody said whose they are: how their cached tokens count is not guessed. */
export async function checkProviders(database: LedgerDatabase, providers: Providers): Promise<Finding[]> {
  const system = 'ledger';
  const models = await readUnnamedModels(database);
  return models.map(({ model, rowCount, lastEventTime }): Finding => {
    const last = lastEventTime === null ? '' : `, the last of ${lastEventTime.toISOString()}`;
    const waits = `${rowCount} rows of the model "${model}"${last}, wait as no_provider`;
    const rule = providers.ruleOf(model);
    return rule === null
      ? {
          system,
          verdict: 'bad',
          what: `${waits}: nobody named its maker, whose rule says whether prompt counts cached tokens`,
          fix: `Set MODEL_PROVIDERS="${model}=openai" or the maker it has; COUNTING_RULES adds makers: docs/azure.md.`,
        }
      : {
          system,
          verdict: 'look',
          what: `${waits}; it is counted as ${rule.provider} by now`,
          fix: 'The next sync-catalog takes them up.',
        };
  });
}
