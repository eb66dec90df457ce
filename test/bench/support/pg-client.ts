import pg from 'pg';

/** Lends one connection of its own. */
export async function withClient<Result>(
  databaseUrl: string,
  use: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: databaseUrl });
  // A connection that ends with the server fails its query; as an event it would end the process half-way.
  client.on('error', () => {});
  await client.connect();
  return use(client).finally(() => client.end());
}
