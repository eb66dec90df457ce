import { createRoute, z } from '@hono/zod-openapi';
import { ruleOfCells } from '../../pricing/prices/cells.ts';
import { findDeploymentRule } from '../../pricing/prices/deployments.ts';
import type { DeploymentRule } from '../../pricing/prices/rows.ts';
import { openTo } from '../identity/require-scope.ts';
import { TallystickError } from '../platform/errors.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import { jsonBody, jsonContent, problems, textSchema } from '../platform/http/schemas.ts';
import { readPriceBook } from './book.ts';
import { changePriceBookOrRefuse } from './file-import.ts';
import {
  DeploymentInputSchema,
  DeploymentSchema,
  PriceChangeSchema,
  readInstantQuery,
  reasonSchema,
  showDeployment,
  showPriceChange,
} from './schemas.ts';

const DeploymentQuery = z.strictObject({
  deployment: textSchema(256).min(1).optional().openapi({
    description: 'Only the rule that holds for a deployment of this name.',
  }),
  at: z
    .string()
    .max(40)
    .optional()
    .openapi({ description: 'With deployment: at this instant; now unless said.' }),
});

const DeploymentListSchema = z
  .object({ version: z.string(), deployments: z.array(DeploymentSchema) })
  .openapi('DeploymentList');

const DeploymentBody = z
  .strictObject({
    reason: reasonSchema,
    supersede: z.boolean().default(false),
    dryRun: z.boolean().default(false),
    deployments: z.array(DeploymentInputSchema).min(1).max(1_000),
  })
  .openapi('DeploymentChangeRequest');

/** Adds `GET /v1/deployments` and `POST /v1/deployments`. */
export function addDeploymentRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/deployments',
    tags: ['Pricing'],
    summary: 'What is said of Azure deployments: their model, type and region, by name or pattern',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: DeploymentQuery },
    responses: { 200: jsonContent(DeploymentListSchema, 'All rules, or the one.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { deployment, at } = context.req.valid('query');
    const book = await readPriceBook(database);
    const instant = at === undefined ? clock.now() : readInstantQuery('at', at);
    const rules =
      deployment === undefined
        ? book.data.deployments
        : [findDeploymentRule(book.deployments, deployment, instant)].filter((rule) => rule !== null);
    return context.json({ version: book.version, deployments: rules.map(showDeployment) }, 200);
  });

  const postRoute = createRoute({
    method: 'post',
    path: '/v1/deployments',
    tags: ['Pricing'],
    summary: 'Say which model, type and region deployments are, by name or pattern, from an instant on',
    ...openTo(dependencies, 'finance'),
    request: { body: jsonBody(DeploymentBody) },
    responses: {
      200: jsonContent(PriceChangeSchema, 'Nothing was applied: a dry run, or the book holds all of it.'),
      201: jsonContent(PriceChangeSchema, 'A new version of the book.'),
      ...problems(413, 422),
    },
  });
  api.openapi(postRoute, async (context) => {
    const { reason, supersede, dryRun, deployments } = context.req.valid('json');
    const { canonicalByName } = await readPriceBook(database);
    const result = await changePriceBookOrRefuse(database, {
      change: {
        rows: [],
        deployments: deployments.map(readRule).map((rule) => ({
          ...rule,
          // An alias names a model well enough here.
          model: rule.model === null ? null : (canonicalByName.get(rule.model) ?? rule.model),
        })),
        supersede,
      },
      kind: 'deployment',
      reason,
      actor: actorOf(context),
      now: clock.now(),
      dryRun,
    });
    return context.json(showPriceChange(result), result.changeId === null ? 200 : 201);
  });
}

/** @throws TallystickError VALIDATION */
function readRule(input: z.output<typeof DeploymentInputSchema>, index: number): DeploymentRule {
  const { rule, problems } = ruleOfCells({
    deployment: input.deployment,
    model: input.model ?? '',
    deploymentType: input.deploymentType ?? '',
    region: input.region ?? '',
    serviceTier: input.serviceTier ?? '',
    effectiveFrom: input.effectiveFrom ?? '',
    retired: String(input.retired ?? false),
    note: input.note ?? '',
  });
  if (rule !== null) return rule;
  const errors = problems.map((problem) => ({ ...problem, field: `deployments.${index}.${problem.field}` }));
  throw new TallystickError(`${errors[0]?.field}: ${errors[0]?.message}`, {
    code: 'VALIDATION',
    retry: false,
    context: { errors },
  });
}
