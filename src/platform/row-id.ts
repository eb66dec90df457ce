/** The id of a row that Postgres counts, as text from outside: always within a bigint. */
export const ROW_ID = /^\d{1,18}$/;
