import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Person } from "#domain/vocabulary.ts";
import type { TokenVerifier } from "#platform/identity.ts";
import type { Log } from "#platform/log.ts";
import { answerProbe, splitAddress } from "#platform/probes.ts";
import {
  DecideApprovalRequest,
  ExtendDirectiveRequest,
  IssueDirectiveRequest,
  ListDirectivesRequest,
  type DirectiveView,
} from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { httpBodyBytesMax } from "../config.ts";
import { decideApproval } from "../rpc/decide-approval.ts";
import { extendDirective } from "../rpc/extend-directive.ts";
import { getDirective } from "../rpc/get-directive.ts";
import { issueDirective } from "../rpc/issue-directive.ts";
import { listDirectives } from "../rpc/list-directives.ts";
import { revokeDirective } from "../rpc/revoke-directive.ts";
import { answerProblem, sendProblem } from "./problem.ts";
import * as schemas from "./schemas.ts";

type IdOf = FastifyRequest<{ Params: { id: string } }>;
type Act<Answer> = (person: Person, request: FastifyRequest) => Promise<Answer>;

/** Serves the HTTP interface beside the probes; the same handlers as the RPCs stand behind it. */
export async function serveHttp(centre: Centre, verify: TokenVerifier, log: Log): Promise<FastifyInstance> {
  // Loaded late: the RPCs answer while the web server's code is still being read.
  const [{ fastify }, { default: swagger }] = await Promise.all([
    import("fastify"),
    import("@fastify/swagger"),
  ]);
  const server = fastify({
    bodyLimit: httpBodyBytesMax,
    // Silently dropped or converted fields would be a directive that nobody asked for.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
  });
  server.setErrorHandler(answerProblem(log));
  server.setNotFoundHandler(async (request, reply) =>
    sendProblem(reply, 404, {
      code: "not-found",
      field: "path",
      value: request.url,
      message: `nothing is served at ${request.method} ${request.url.slice(0, 100)}`,
      remedy: "See /openapi.json.",
    }),
  );
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Qalqan, centre of a region", version: centre.config.QALQAN_RELEASE },
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
      security: [{ bearer: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json["$id"] === "string" ? json["$id"] : `schema-${index}`,
    },
  });
  server.addSchema(schemas.directive);
  server.addSchema(schemas.problem);
  // The plugin sees routes that are registered after it.
  await server.register(async (routes) => {
    addDirectiveRoutes(routes, centre, verify);
  });
  addProbes(server, centre);
  server.get("/openapi.json", { schema: { hide: true } }, async () => server.swagger());
  const { host, port } = splitAddress(centre.config.HTTP_LISTEN);
  await server.listen({ host, port });
  return server;
}

function addProbes(server: FastifyInstance, centre: Centre): void {
  for (const path of ["/live", "/ready"]) {
    server.get(path, { schema: { hide: true } }, async (_request, reply) => {
      const state = await centre.readiness();
      const answer = answerProbe(path, () => state);
      return reply
        .code(answer?.status ?? 404)
        .type("application/json")
        .send(answer?.body ?? "{}");
    });
  }
}

const answers = {
  "4XX": { $ref: "Problem#" },
  "5XX": { $ref: "Problem#" },
} as const;

function addDirectiveRoutes(server: FastifyInstance, centre: Centre, verify: TokenVerifier): void {
  const acting =
    <Answer>(act: Act<Answer>) =>
    async (request: FastifyRequest) => {
      const person = await verify(request.headers.authorization);
      return centre.standing.answer(() => act(person, request));
    };
  const answer = (description: string, ok: 200 | 201) => ({
    description,
    response: { [ok]: { $ref: "Directive#" }, ...answers },
  });

  server.post(
    "/v1/directives",
    { schema: { ...answer("Issue a directive", 201), body: schemas.issueBody } },
    async (request, reply) => {
      const person = await verify(request.headers.authorization);
      const asked = IssueDirectiveRequest.fromPartial(request.body as object);
      const view = await centre.standing.answer(() => issueDirective(centre, asked, person));
      return reply.code(asked.dryRun ? 200 : 201).send(view);
    },
  );
  server.get(
    "/v1/directives",
    {
      schema: {
        description: "This region's directives, newest first; at most 1,000",
        querystring: schemas.listQuery,
        response: { 200: { type: "array", items: { $ref: "Directive#" } }, ...answers },
      },
    },
    acting(async (person, request) => {
      const asked = ListDirectivesRequest.fromPartial(request.query as object);
      const views: DirectiveView[] = [];
      for await (const view of listDirectives(centre, asked, person)) views.push(view);
      return views;
    }),
  );
  server.get(
    "/v1/directives/:id",
    { schema: { ...answer("A directive with its story", 200), params: schemas.idParameter } },
    acting((person, request) => getDirective(centre, { id: idOf(request) }, person)),
  );
  server.post(
    "/v1/directives/:id/revoke",
    {
      schema: {
        ...answer("Withdraw a directive", 200),
        params: schemas.idParameter,
        body: schemas.revokeBody,
      },
    },
    acting((person, request) => {
      const { reason } = request.body as { reason: string };
      return revokeDirective(centre, { id: idOf(request), reason }, person);
    }),
  );
  server.post(
    "/v1/directives/:id/extend",
    { schema: { ...answer("Move the end", 200), params: schemas.idParameter, body: schemas.extendBody } },
    acting((person, request) => {
      const asked = ExtendDirectiveRequest.fromPartial(request.body as object);
      return extendDirective(centre, { ...asked, id: idOf(request) }, person);
    }),
  );
  server.post(
    "/v1/directives/:id/approvals",
    {
      schema: {
        ...answer("Approve or refuse", 200),
        params: schemas.idParameter,
        body: schemas.approvalBody,
      },
    },
    acting(async (person, request) => {
      const asked = DecideApprovalRequest.fromPartial(request.body as object);
      const decided = await decideApproval(centre, { ...asked, directive: idOf(request) }, person);
      if (decided.directive === undefined) throw new Error("an approval of a directive answered without it");
      return decided.directive;
    }),
  );
}

function idOf(request: FastifyRequest): string {
  return (request as IdOf).params.id;
}
