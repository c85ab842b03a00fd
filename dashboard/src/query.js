// What the Metrics page asks, as its state has it: `m=p95:e2e_latency_ms`, `f=is:topic:pricing`,
// `group=topic`, `top=10`, `rest=no`, `compare=previous`.
import { request } from "./api.js";

export const FUNCTIONS = { sum: "sum", count: "count", rate: "rate", mean: "mean", min: "min", max: "max", last: "last", p50: "p50", p90: "p90", p95: "p95", p99: "p99", sessions: "sessions" };
export const OPERATORS = { is: "=", not: "!=", like: "=~", unlike: "!~" };
export const COMPARED = { "": "nothing", previous: "the period before", "1d": "1 day before", "7d": "1 week before", "28d": "4 weeks before" };
export const TOPS = { 5: "5", 10: "10", 20: "20", 50: "50", 100: "100" };
export const SYSTEM_LABELS = ["agent_id", "environment_id", "session_id"];
const MOST_METRICS = 20;
const MOST_LABELS = 5;

export const isPercentile = (fn) => /^p\d/.test(fn);
export const defaultFunction = (metric) => ({ gauge: "mean", histogram: "p95" })[metric?.type] ?? "sum";
const isAdditive = (fn) => ["sum", "count", "rate"].includes(fn);
export const startsAtZero = (fn) => isAdditive(fn) || fn === "sessions";

/** How a function is drawn: parts of a whole are stacked. */
export const modeOf = (fn, grouped) => (!startsAtZero(fn) ? "line" : grouped ? (isAdditive(fn) ? "stack" : "line") : "bar");

const split = (text, parts) => {
  const found = text.split(":");
  return [...found.slice(0, parts - 1), found.slice(parts - 1).join(":")];
};
export const metricText = (fn, name) => `${fn}:${name}`;
export const filterText = (op, label, value) => `${op}:${encodeURIComponent(label)}:${value}`;

function readFilter(text) {
  const [op, label, value] = split(text, 3);
  try {
    return { op: op in OPERATORS ? op : "is", label: decodeURIComponent(label), value };
  } catch {
    return { op: "is", label, value };
  }
}

export function readQuery(state) {
  const used = new Set();
  const metrics = state.getAll("m").slice(0, MOST_METRICS).map((text) => {
    const [fn, name] = split(text, 2);
    const plain = `${fn}_${name}`.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 60);
    let as = plain;
    for (let n = 2; used.has(as); n += 1) as = `${plain}_${n}`;
    used.add(as);
    return { as, fn: fn in FUNCTIONS ? fn : "sum", name };
  }).filter((each) => each.name);
  return {
    metrics,
    filters: state.getAll("f").map(readFilter).filter((each) => each.label),
    group: [...new Set(state.getAll("group"))].slice(0, MOST_LABELS),
    top: state.get("top") in TOPS ? Number(state.get("top")) : 10,
    rest: state.get("rest") !== "no",
    compare: state.get("compare") in COMPARED ? state.get("compare") : "",
  };
}

export const writeFilters = (filters) => filters.map((each) => filterText(each.op, each.label, each.value));

const column = ({ as, name, fn }) => (isPercentile(fn)
  ? { as, metric: name, function: "percentile", percentile: Number(fn.slice(1)) }
  : { as, metric: name, function: fn });

/** The request for a chart, or without `step` for the range as a whole. */
export function queryRequest(query, range, zone, step) {
  const { metrics, filters, group, top, rest, compare } = query;
  return request("organization", "v1/custom-metrics/query", {}, {
    startDate: range.startDate, endDate: range.endDate, timezone: zone,
    ...(step && { step, fill: "null" }),
    metrics: metrics.map(column),
    ...(filters.length && { filters: filters.map((each) => ({ label: each.label, op: OPERATORS[each.op], value: each.value })) }),
    ...(group.length && { groupBy: group, limit: top, ...(rest && { other: true }) }),
    ...(compare && { compareTo: compare }),
  });
}

/** What a group is called: its labels' values, or the rest of all groups. */
export function groupText(labels, group) {
  if (group.some((name) => labels[name] === null)) return "All others";
  return group.map((name) => labels[name] || `no ${name}`).join(" · ");
}

/** Reads rows into {buckets, groups: [{key, labels, label, isRest, rows}]}, a row of a group for each bucket. */
export function readRows({ data }, group) {
  const buckets = new Map();
  const groups = new Map();
  for (const row of data.rows) {
    if (!buckets.has(row.start)) buckets.set(row.start, { start: Date.parse(row.start) / 1000, end: Date.parse(row.end) / 1000, index: buckets.size });
    const key = JSON.stringify(row.labels);
    if (!groups.has(key)) groups.set(key, { key, labels: row.labels, label: groupText(row.labels, group), isRest: group.some((name) => row.labels[name] === null), rows: [] });
    groups.get(key).rows[buckets.get(row.start).index] = row;
  }
  // The largest first, as in the whole range; the rest last.
  return { buckets: [...buckets.values()], groups: [...groups.values()], all: data.groups };
}
