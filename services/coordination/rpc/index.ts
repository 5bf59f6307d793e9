import type { Handlers } from "#platform/grpc-server.ts";
import type { CoordinationServer } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import type { LeaderLink } from "../leader-link.ts";
import { addProtectedNumber } from "./add-protected-number.ts";
import { exportEvidence, type EvidenceParts } from "./export-evidence.ts";
import { getDirective } from "./get-directive.ts";
import { getStatistics } from "./get-statistics.ts";
import { getStatus } from "./get-status.ts";
import { listDirectives } from "./list-directives.ts";
import { listProtectedNumbers } from "./list-protected-numbers.ts";
import { removeProtectedNumber } from "./remove-protected-number.ts";
import { setNationalStop } from "./set-national-stop.ts";
import { watchStatus } from "./watch-status.ts";

/** Every method of the capital: every replica answers what is read, and hands on to the leader what writes. */
export function coordinationMethods(
  capital: Capital,
  link: LeaderLink,
  handlers: Handlers,
  evidence: EvidenceParts,
): CoordinationServer {
  return {
    getStatus: handlers.unary("GetStatus", getStatus(capital)),
    watchStatus: handlers.watch("WatchStatus", watchStatus(capital)),
    getDirective: handlers.unary("GetDirective", getDirective(capital)),
    listDirectives: handlers.serverStream("ListDirectives", listDirectives(capital)),
    addProtectedNumber: handlers.unary(
      "AddProtectedNumber",
      link.written(addProtectedNumber(capital), (leader) => leader.addProtectedNumber.bind(leader)),
    ),
    removeProtectedNumber: handlers.unary(
      "RemoveProtectedNumber",
      link.written(removeProtectedNumber(capital), (leader) => leader.removeProtectedNumber.bind(leader)),
    ),
    listProtectedNumbers: handlers.unary("ListProtectedNumbers", listProtectedNumbers(capital)),
    setNationalStop: handlers.unary(
      "SetNationalStop",
      link.written(setNationalStop(capital), (leader) => leader.setNationalStop.bind(leader)),
    ),
    getStatistics: handlers.unary("GetStatistics", getStatistics(capital)),
    exportEvidence: handlers.serverStream(
      "ExportEvidence",
      link.streamed(exportEvidence(capital, evidence), (leader) => leader.exportEvidence.bind(leader)),
    ),
  };
}
