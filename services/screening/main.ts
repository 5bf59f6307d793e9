import { readConfig } from "#platform/config.ts";
import { runService } from "#platform/lifecycle.ts";
import { createLog } from "#platform/log.ts";
import { screeningEnvironment } from "./config.ts";
import { startScreening } from "./server.ts";

const config = readConfig(screeningEnvironment);
const log = createLog("screening", config.QALQAN_REGION, config.LOG_LEVEL);
await runService(log, (lifecycle) => startScreening(config, log, lifecycle));
