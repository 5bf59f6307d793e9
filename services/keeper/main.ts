import { readConfig } from "#platform/config.ts";
import { runService } from "#platform/lifecycle.ts";
import { createLog } from "#platform/log.ts";
import { keeperEnvironment } from "./config.ts";
import { startKeeper } from "./server.ts";

const config = readConfig(keeperEnvironment);
const log = createLog("keeper", config.QALQAN_REGION, config.LOG_LEVEL);
await runService(log, (lifecycle) => startKeeper(config, log, lifecycle));
