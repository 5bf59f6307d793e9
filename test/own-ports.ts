/** Tests that run at once start servers at once: each worker has ports of its own. */
const ranges = ["10081-20999", "21000-31999"];
const worker = Number(process.env["VITEST_POOL_ID"] ?? "1");
process.env["QALQAN_PORTS"] ??= ranges[(worker - 1) % ranges.length] ?? ranges[0];
