import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { runThreadServer } from './thread-server.ts';
import { renderVolumeAnswer } from './volume-rows.ts';

export interface VolumeReport {
  queryCount: number;
}

/**
 * Answers row queries over event time as the query API does, out of a formula, so that millions of rows cost
 * neither memory nor evaluation. It reads the window and the limit off the query and nothing else.
 */
const QUERY =
  /where TimeGenerated >= datetime\((?<start>[^)]+)\) and TimeGenerated < datetime\((?<end>[^)]+)\)[\s\S]*\| take (?<limit>\d+)$/;
const report: VolumeReport = { queryCount: 0 };

runThreadServer(
  createServer(async (request, response) => {
    const { query } = JSON.parse(await text(request)) as { query: string };
    const parts = QUERY.exec(query)?.groups;
    if (parts === undefined || /hash\(|ingestion_time\(\) [<>]/.test(query)) {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(
        '{"error":{"code":"BadArgumentError","message":"Only windows of event time are known here"}}',
      );
      return;
    }
    report.queryCount += 1;
    const answer = renderVolumeAnswer(
      Date.parse(parts.start ?? ''),
      Date.parse(parts.end ?? ''),
      Number(parts.limit),
    );
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  }),
  () => report,
);
