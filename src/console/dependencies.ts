import type { StatementDependencies } from '../statements/dependencies.ts';

/** What pages of the console work with: what the API has. */
export type ConsoleDependencies = StatementDependencies;
