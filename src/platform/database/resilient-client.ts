import pg from 'pg';

/**
 * A Postgres connection whose sudden end is an error of the query in hand and nothing more. Without a
 * listener, node-postgres turns a server's restart between two statements of a transaction into the end of
 * the process (https://node-postgres.com/apis/client#error).
 */
export class ResilientClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => {});
  }
}
