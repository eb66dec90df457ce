import type { BillingAccount } from '../focus/cost-charges.ts';

/** What a warehouse is given to keep. */
export interface ObjectBody {
  blob: Blob;
  /** Hexadecimal. */
  sha256: string;
}

/** A place that keeps objects by name, such as `focus/usage_date=2026-11-20/charges.parquet`. */
export interface ObjectStore {
  /** Without secrets. */
  description: string;
  /** Puts an object in place of what is there: whoever reads meets the one or the other whole. */
  put(name: string, body: ObjectBody): Promise<void>;
  /** An object as text; null: there is none. */
  read(name: string): Promise<string | null>;
}

/** A warehouse as it is configured; what speaks to it is loaded when it is first written. */
export interface Warehouse {
  openStore(): Promise<ObjectStore>;
  /** Who pays the cloud, in its charges. */
  account: BillingAccount;
}
