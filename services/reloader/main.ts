import { readConfig } from "#platform/config.ts";
import { runService } from "#platform/lifecycle.ts";
import { createLog } from "#platform/log.ts";
import { reloaderEnvironment } from "./config.ts";
import { startReloader } from "./server.ts";

const config = readConfig(reloaderEnvironment);
const log = createLog("reloader", config.QALQAN_REGION, config.LOG_LEVEL);
await runService(log, (lifecycle) => startReloader(config, log, lifecycle));
