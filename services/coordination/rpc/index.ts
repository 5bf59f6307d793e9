import type { Handlers } from "#platform/grpc-server.ts";
import type { CoordinationServer } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { addProtectedNumber } from "./add-protected-number.ts";
import { getDirective } from "./get-directive.ts";
import { getStatistics } from "./get-statistics.ts";
import { getStatus } from "./get-status.ts";
import { listDirectives } from "./list-directives.ts";
import { listProtectedNumbers } from "./list-protected-numbers.ts";
import { removeProtectedNumber } from "./remove-protected-number.ts";
import { setNationalStop } from "./set-national-stop.ts";
import { watchStatus } from "./watch-status.ts";

/** Every method of the capital. */
export function coordinationMethods(capital: Capital, handlers: Handlers): CoordinationServer {
  return {
    getStatus: handlers.unary("GetStatus", getStatus(capital)),
    watchStatus: handlers.serverStream("WatchStatus", watchStatus(capital)),
    getDirective: handlers.unary("GetDirective", getDirective(capital)),
    listDirectives: handlers.serverStream("ListDirectives", listDirectives(capital)),
    addProtectedNumber: handlers.unary("AddProtectedNumber", addProtectedNumber(capital)),
    removeProtectedNumber: handlers.unary("RemoveProtectedNumber", removeProtectedNumber(capital)),
    listProtectedNumbers: handlers.unary("ListProtectedNumbers", listProtectedNumbers(capital)),
    setNationalStop: handlers.unary("SetNationalStop", setNationalStop(capital)),
    getStatistics: handlers.unary("GetStatistics", getStatistics(capital)),
  };
}
