// Uses every family by the types that are made of the OpenAPI document; prints what was answered.
import createClient from "openapi-fetch";
import type { components, paths } from "./vumeter.js";

type Point = components["schemas"]["Point"];

const { VUMETER_URL, VUMETER_KEY, VUMETER_ADMIN_TOKEN, TENANT, EXECUTION, CALL } = process.env as Record<string, string>;
const [keyId = "", secret = ""] = (VUMETER_KEY ?? "").split(".");
const client = createClient<paths>({
  baseUrl: VUMETER_URL ?? "",
  headers: { Authorization: `Bearer ${VUMETER_KEY}` },
});
const live = { headers: { "X-Admin-Token": VUMETER_ADMIN_TOKEN ?? "", Authorization: null } };
const simulation = { headers: { "X-Api-Key": keyId, "X-Secret-Key": secret } };
const range = { startDate: "2025-04-01", endDate: "2025-04-02" };
const answered: Record<string, unknown> = {};

const points: Point[] = [
  { name: "turns", type: "counter", value: 3, timestamp: "2025-04-01T10:00:00Z", sessionId: "s 1", tags: { origin: "phone" } },
  { name: "ttft_ms", type: "histogram", value: 640, timestamp: "2025-04-01T10:00:00Z", sessionId: "s 1" },
];
const recorded = await client.POST("/v1/custom-metrics", { body: { points } });
answered["recorded"] = recorded.data?.data.recorded;

const groups = await client.GET("/v1/custom-metrics/aggregate", {
  params: { query: { ...range, tags: JSON.stringify({ origin: "phone" }), groupBy: "origin" } },
});
const sums = groups.data?.data;
answered["aggregate"] = Array.isArray(sums) ? sums.map((group) => [group["origin"], group.metrics["turns"]]) : null;

const query = await client.POST("/v1/custom-metrics/query", {
  body: {
    ...range,
    metrics: [
      { as: "turns", metric: "turns", function: "sum", filters: [{ label: "origin", op: "in", values: ["phone"] }] },
      { as: "p95", metric: "ttft_ms", function: "percentile", percentile: 95 },
    ],
    formulas: [{ as: "ratio", expression: "p95 / turns" }],
  },
});
// Without `Accept: text/csv` it is no text.
answered["query"] = typeof query.data === "object" ? query.data.data.rows.map((row) => row.values) : null;

const csv = await client.POST("/v1/custom-metrics/query", {
  body: { ...range, metrics: [{ as: "turns", metric: "turns", function: "sum" }] },
  headers: { Accept: "text/csv" },
  parseAs: "text",
});
answered["csv"] = csv.data;

const session = await client.GET("/v1/custom-metrics/sessions/{sessionId}", { params: { path: { sessionId: "s 1" } } });
answered["session"] = session.data?.data.result.map((each) => [each.metric.metric_name, each.value[1]]);

const usage = await client.GET("/v1/custom-metrics/usage", { params: { query: { limit: 10 } } });
answered["usage"] = usage.data?.data.byMetric.map((each) => each.metric);

const reported = await client.POST("/api/v1/metrics/events", {
  ...live,
  body: {
    events: [
      { event_id: `${CALL}-1`, type: "started", call_id: CALL ?? "", tenant_id: TENANT ?? "", occurred_at: "2025-04-01T10:00:00Z" },
    ],
  },
});
answered["reported"] = reported.data?.recorded;

const counters = await client.GET("/api/v1/metrics/live/{tenant_id}", { ...live, params: { path: { tenant_id: TENANT ?? "" } } });
answered["active"] = counters.data?.active_calls;

const executed = await client.POST("/sdk/api/v1/simulation/executions", {
  ...simulation,
  body: { execution_id: EXECUTION ?? "", run_test_name: "checkout", status: "completed", started_at: null },
});
answered["executed"] = executed.data?.result.execution_id;

const metrics = await client.GET("/sdk/api/v1/simulation/metrics", { ...simulation, params: { query: { execution_id: EXECUTION ?? "" } } });
const result = metrics.data?.result;
// One path has three answers, which their fields tell apart.
answered["simulated"] = result && "metrics" in result ? result.metrics.calls.total : null;

const wrong = await client.POST("/v1/custom-metrics", { body: { points: [{ name: "not a name" }] } });
answered["wrong"] = wrong.error && {
  status: wrong.response.status,
  code: wrong.error.code,
  fields: wrong.error.details.flatMap((detail) =>
    "fieldViolations" in detail ? detail.fieldViolations.map((violation) => violation.field) : [],
  ),
};

// What the types do not allow.
// @ts-expect-error A required parameter is missing.
void (() => client.GET("/v1/custom-metrics/aggregate", { params: { query: { startDate: "2025-04-01" } } }));
// @ts-expect-error There is no such path.
void (() => client.GET("/v1/custom-metrics/nmaes"));
// @ts-expect-error There is no such type.
void ((): Point => ({ name: "turns", type: "count" }));
// @ts-expect-error A misspelt field.
void ((): Point => ({ name: "turns", valeu: 1 }));
// @ts-expect-error A list has `values`.
void ((): components["schemas"]["Filter"] => ({ label: "origin", op: "in", value: "phone" }));

console.log(JSON.stringify(answered));
