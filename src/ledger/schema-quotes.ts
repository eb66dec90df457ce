/** Tables of quotes; see migrations for meaning. */
export interface QuoteTables {
  quotes: {
    quote_id: string;
    /** JSON texts, kept to the letter. */
    request: string;
    result: string;
    price_book_version: string;
    created_by: string;
    created_at: Date;
    snapshot: string | null;
    result_hash: string | null;
    customer_id: string | null;
    plan_id: string | null;
    plan_version: string | null;
    valid_until: Date | null;
  };
  service_secrets: { name: string; value: string; created_at: Date };
}
