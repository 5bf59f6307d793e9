import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Handlers, Unary } from "#platform/grpc-server.ts";
import type { CentreServer } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import type { RefusedAccess } from "../refused-access.ts";
import { addIntelligence } from "./add-intelligence.ts";
import { decideApproval } from "./decide-approval.ts";
import { extendDirective } from "./extend-directive.ts";
import { getBatch } from "./get-batch.ts";
import { getDirective } from "./get-directive.ts";
import { getIntelligence } from "./get-intelligence.ts";
import { getOverlay } from "./get-overlay.ts";
import { getQuota } from "./get-quota.ts";
import { importDirectives } from "./import.ts";
import { issueDirective } from "./issue-directive.ts";
import { listBases } from "./list-bases.ts";
import { listDirectives } from "./list-directives.ts";
import { listIntelligence } from "./list-intelligence.ts";
import { listReasons } from "./list-reasons.ts";
import { listTrunks } from "./list-trunks.ts";
import { putTrunk } from "./put-trunk.ts";
import { reportRefusals } from "./report-refusals.ts";
import { revokeBatch } from "./revoke-batch.ts";
import { revokeDirective } from "./revoke-directive.ts";
import { setStop } from "./set-stop.ts";
import { setTrunkMode } from "./set-trunk-mode.ts";
import { watchBatch } from "./watch-batch.ts";
import { watchDirective } from "./watch-directive.ts";
import { withdrawIntelligence } from "./withdraw-intelligence.ts";

/** Every method of the service: the person comes from the token, the rest from the file of its name. */
export function centreMethods(
  centre: Centre,
  refusedAccess: RefusedAccess,
  handlers: Handlers,
): CentreServer & UntypedServiceImplementation {
  const unary = <Request, Response>(method: string, handle: Unary<Request, Response>) =>
    handlers.unary<Request, Response>(method, (request, call) =>
      centre.standing.answer(() => handle(request, call)),
    );
  return {
    issueDirective: unary("IssueDirective", async (request, call) =>
      issueDirective(centre, request, await call.person()),
    ),
    decideApproval: unary("DecideApproval", async (request, call) =>
      decideApproval(centre, request, await call.person()),
    ),
    extendDirective: unary("ExtendDirective", async (request, call) =>
      extendDirective(centre, request, await call.person()),
    ),
    revokeDirective: unary("RevokeDirective", async (request, call) =>
      revokeDirective(centre, request, await call.person()),
    ),
    revokeBatch: unary("RevokeBatch", async (request, call) =>
      revokeBatch(centre, request, await call.person()),
    ),
    getDirective: unary("GetDirective", async (request, call) =>
      getDirective(centre, request, await call.person()),
    ),
    listDirectives: handlers.serverStream("ListDirectives", async function* (request, call) {
      yield* listDirectives(centre, request, await call.person());
    }),
    watchDirective: handlers.watch("WatchDirective", async function* (request, call) {
      yield* watchDirective(centre, request, await call.person(), call.signal);
    }),
    import: handlers.duplex("Import", async function* (requests, call) {
      yield* importDirectives(centre, requests, await call.person(), call.signal);
    }),
    getBatch: unary("GetBatch", async (request, call) => getBatch(centre, request, await call.person())),
    watchBatch: handlers.watch("WatchBatch", async function* (request, call) {
      yield* watchBatch(centre, request, await call.person(), call.signal);
    }),
    listBases: unary("ListBases", async (_request, call) => {
      await call.person();
      return listBases();
    }),
    listReasons: unary("ListReasons", async (_request, call) => {
      await call.person();
      return listReasons();
    }),
    getQuota: unary("GetQuota", async (request, call) => getQuota(centre, request, await call.person())),
    listTrunks: unary("ListTrunks", async (_request, call) => listTrunks(centre, await call.person())),
    putTrunk: unary("PutTrunk", async (request, call) => putTrunk(centre, request, await call.person())),
    setTrunkMode: unary("SetTrunkMode", async (request, call) =>
      setTrunkMode(centre, request, await call.person()),
    ),
    setStop: unary("SetStop", async (request, call) => setStop(centre, request, await call.person())),
    addIntelligence: unary("AddIntelligence", async (request, call) =>
      addIntelligence(centre, request, await call.person()),
    ),
    listIntelligence: handlers.serverStream("ListIntelligence", async function* (request, call) {
      yield* listIntelligence(centre, request, await call.person());
    }),
    getIntelligence: unary("GetIntelligence", async (request, call) =>
      getIntelligence(centre, request, await call.person()),
    ),
    withdrawIntelligence: unary("WithdrawIntelligence", async (request, call) =>
      withdrawIntelligence(centre, request, await call.person()),
    ),
    getOverlay: handlers.serverStream("GetOverlay", (_request, call) => getOverlay(centre, call.peer)),
    reportRefusals: unary("ReportRefusals", (request, call) =>
      reportRefusals(centre, refusedAccess, request, call.peer),
    ),
  };
}
