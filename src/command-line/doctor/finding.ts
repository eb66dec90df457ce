/** What doctor found of one system. */
export interface Finding {
  system: 'configuration' | 'ledger' | 'queue' | 'azure' | 'openmeter' | 'stripe';
  /** `bad` means usage will not flow; `look` that it may not flow as you think. */
  verdict: 'good' | 'look' | 'bad';
  what: string;
  fix?: string;
}
