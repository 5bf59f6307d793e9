import { readConfig } from "#platform/config.ts";
import { runService } from "#platform/lifecycle.ts";
import { createLog } from "#platform/log.ts";
import { centreEnvironment } from "./config.ts";
import { startCentre } from "./server.ts";

const config = readConfig(centreEnvironment);
const log = createLog("centre", config.QALQAN_REGION, config.LOG_LEVEL);
await runService(log, (lifecycle) => startCentre(config, log, lifecycle));
