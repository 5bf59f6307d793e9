import { readConfig } from "#platform/config.ts";
import { runService } from "#platform/lifecycle.ts";
import { createLog } from "#platform/log.ts";
import { coordinationConfig } from "./config.ts";
import { startCoordination } from "./server.ts";

const config = readConfig(coordinationConfig);
const log = createLog("coordination", config.QALQAN_REGION, config.LOG_LEVEL);
await runService(log, (lifecycle) => startCoordination(config, log, lifecycle));
