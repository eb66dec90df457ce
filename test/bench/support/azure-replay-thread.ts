import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { workerData } from 'node:worker_threads';
import { createAzureStandIn } from '../../../sandbox/azure/azure-stand-in.ts';
import { createScenario, type ScenarioOptions } from '../../../sandbox/scenario.ts';
import { createTraffic } from '../../../sandbox/traffic/traffic.ts';
import { VirtualClock } from '../../../sandbox/virtual-clock.ts';
import { runThreadServer } from './thread-server.ts';

export interface ReplayOptions {
  scenario: ScenarioOptions;
  nowMs: number;
}

export interface ReplayReport {
  /** Queries answered by the stand-in itself, whose answer was kept. */
  recordedCount: number;
  /** Queries answered with a kept answer. */
  replayedCount: number;
  /** Prompt plus completion tokens of the traffic, counted where it is made. */
  sourceTokens: bigint;
}

/**
 * The Azure stand-in behind a recorder: a query seen for the first time is evaluated, the same query again
 * gets the recorded bytes. What evaluating costs is so kept out of every run but the first.
 */
const { scenario, nowMs } = workerData as ReplayOptions;
const traffic = createTraffic(createScenario(scenario));
const standIn = createAzureStandIn(
  { clock: new VirtualClock(nowMs), seed: scenario.seed, stateDirectory: null, latencyMs: 0 },
  traffic,
);
const recorded = new Map<string, Buffer>();
const report: ReplayReport = { recordedCount: 0, replayedCount: 0, sourceTokens: traffic.tokenTotal() };

runThreadServer(
  createServer(async (request, response) => {
    const body = await text(request);
    let answer = recorded.get(body);
    if (answer === undefined) {
      const headers = {
        'content-type': String(request.headers['content-type']),
        authorization: String(request.headers.authorization),
      };
      const evaluated = await standIn.app.request(String(request.url), { method: 'POST', headers, body });
      answer = Buffer.from(await evaluated.arrayBuffer());
      if (evaluated.status !== 200) {
        response.writeHead(evaluated.status, { 'content-type': 'application/json' }).end(answer);
        return;
      }
      recorded.set(body, answer);
      report.recordedCount += 1;
    } else {
      report.replayedCount += 1;
    }
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  }),
  () => report,
);
