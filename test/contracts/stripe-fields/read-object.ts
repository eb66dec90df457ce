/** An object of Stripe's as the product reads it, wherever it is answered. */
export interface ReadObject {
  object: string;
  /** Calls, as Stripe's description names them, and where in their answer: `GET /v1/invoices data[].lines.data[]`. */
  at: readonly string[];
  /** By the deepest names. `metadata.*`: any name. */
  fields: readonly string[];
}
