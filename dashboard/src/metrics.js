// Metrics: any function of any metric, over time and as a table, by group, beside the period before.
import { useEffect } from "preact/hooks";
import { askCsv, request } from "./api.js";
import { useAnswer } from "./asking.js";
import { Builder } from "./builder.js";
import { Chart } from "./chart.js";
import { isDashed, seriesColour } from "./colours.js";
import { FEW } from "./drawing.js";
import { FirstPoint } from "./first.js";
import { html } from "./html.js";
import { changeText, numberText, unitOf } from "./numbers.js";
import { Failure, Panel, Table } from "./panel.js";
import { defaultFunction, isPercentile, metricText, modeOf, queryRequest, readQuery, readRows, startsAtZero, writeFilters } from "./query.js";
import { chosenRange, readRange } from "./range.js";

const SHOWN_AT_FIRST = 4;
// Who records a first point looks whether it arrives.
const emptyOften = (known) => (known?.length === 0 ? 2 : 30);

export function MetricsPage({ title, state, zone, set }) {
  const known = useAnswer(request("organization", "v1/custom-metrics/metrics"), { every: emptyOften, read: ({ data }) => data });
  const tags = useAnswer(request("organization", "v1/custom-metrics/tags"), { read: ({ data }) => data });
  const failed = known.error ? known : tags;
  const query = readQuery(state);
  const range = readRange(state, zone, "7d");
  const names = known.data ?? [];
  const without = known.data !== null && !query.metrics.length;
  useEffect(() => {
    if (without && names.length) set({ m: names.slice(0, SHOWN_AT_FIRST).map((each) => metricText(defaultFunction(each), each.name)) }, { replace: true });
  }, [without, names.length, state]);
  if (known.data?.length === 0) return html`<div class="head"><h1>${title}</h1></div><${FirstPoint} />`;
  return html`
    <div class="head"><h1>${title}</h1></div>
    ${failed.error && html`<${Failure} error=${failed.error} again=${failed.again} />`}
    <${Builder} query=${query} range=${range} state=${state} names=${names} tags=${tags.data} set=${set} />
    ${range.problem ? html`<p class="error" role="alert">${range.problem}</p>` : query.metrics.length > 0 && html`<${Answers} query=${query} range=${range} zone=${zone} names=${names} set=${set} />`}`;
}

const headingOf = ({ fn, name }) => `${name} · ${fn}`;
const unitFor = ({ fn, name }, names) => (fn === "count" || fn === "sessions" ? "" : `${unitOf(names.find((each) => each.name === name) ?? { name })}${fn === "rate" ? "/s" : ""}`);

function Answers({ query, range, zone, names, set }) {
  const overTime = useAnswer(queryRequest(query, range, zone, range.step), { every: 30, read: (answer) => ({ query, range, ...readRows(answer, query.group) }) });
  const whole = useAnswer(queryRequest(query, range, zone), { every: 30, read: (answer) => ({ query, ...readRows(answer, query.group) }) });
  const only = (labels) => {
    const rest = query.filters.filter((each) => !(each.label in labels));
    set({ f: writeFilters([...rest, ...Object.entries(labels).map(([label, value]) => ({ op: "is", label, value }))]) });
  };
  const zoom = (start, end) => set(chosenRange(start, end, zone));
  return html`
    <div class="grid ${query.metrics.length === 1 ? "one" : ""}">${query.metrics.map((metric) => html`<${OverTime} key=${metric.as} metric=${metric} answer=${overTime} order=${whole.data?.groups} zone=${zone} unit=${unitFor(metric, names)} only=${only} zoom=${zoom} />`)}</div>
    <${Whole} answer=${whole} names=${names} only=${only} />`;
}

function OverTime({ metric, answer, order, zone, unit, only, zoom }) {
  // The answer may still be of the question before, which had other metrics.
  const drawn = order && answer.data?.query.metrics.some((each) => each.as === metric.as);
  const note = answer.data?.query.group.length ? `by ${answer.data.query.group.join(", ")}${answer.data.all > answer.data.query.top ? `, ${answer.data.query.top} of ${numberText(answer.data.all)} groups` : ""}` : "";
  return html`<${Panel} title=${headingOf(metric)} note=${note} answer=${drawn ? answer : { ...answer, data: null }} csv=${() => askCsv(answer.asked)}
    isEmpty=${({ groups }) => !groups.some((group) => group.rows.some((row) => row.values[metric.as] !== null))}>
    ${(data) => html`<${Chart} label=${headingOf(metric)} plot=${plotOf(metric, data, order, zone, unit, only, zoom)} />`}
  </${Panel}>`;
}

function plotOf(metric, { query, range, buckets, groups }, order, zone, unit, only, zoom) {
  const grouped = query.group.length > 0;
  // In the order of the whole range, in which the table has them.
  const rank = new Map(order.map((each, n) => [each.key, n]));
  const ranked = [...groups].sort((one, other) => (rank.get(one.key) ?? Infinity) - (rank.get(other.key) ?? Infinity));
  const series = ranked.map((group, n) => ({
    name: group.key, label: grouped ? group.label : headingOf(metric), labels: group.labels, pick: grouped && !group.isRest,
    colour: group.isRest ? "series-rest" : seriesColour(n), dashed: isDashed(n),
    values: buckets.map((_, at) => group.rows[at]?.values[metric.as] ?? null),
    counts: buckets.map((_, at) => group.rows[at]?.counts[metric.as] ?? 0),
  }));
  if (query.compare && !grouped) {
    series.push({ name: "before", label: "before", colour: "series-rest", dashed: true, line: true, values: buckets.map((_, at) => ranked[0]?.rows[at]?.previous[metric.as] ?? null) });
  }
  return {
    zone, start: range.start, end: range.end, now: Date.now() / 1000, buckets, series, unit, mode: modeOf(metric.fn, grouped),
    fromZero: startsAtZero(metric.fn), whole: metric.fn === "count" || metric.fn === "sessions", pale: isPercentile(metric.fn),
    onZoom: zoom, onPick: (each) => only(each.labels), hint: grouped ? "Click a group to see it alone; drag to zoom in." : "Drag to zoom in.",
  };
}

function Whole({ answer, names, only }) {
  const query = answer.data?.query;
  return html`<${Panel} title="The whole range" answer=${answer} csv=${() => askCsv(answer.asked)} isEmpty=${({ groups }) => !groups.length}>
    ${({ groups }) => html`<${Table} tall caption="The whole range" columns=${[
      ...(query.group.length ? query.group : ["Group"]),
      ...query.metrics.flatMap((metric) => [{ title: headingOf(metric), n: true }, ...(query.compare ? [{ title: "before", n: true }, { title: "change", n: true }] : [])]),
    ]} rows=${groups.map(({ key, labels, isRest, rows: [row] }) => html`<tr key=${key}>
      ${query.group.length ? query.group.map((name, n) => html`<th scope="row">${groupCell(labels, name, n, isRest, only)}</th>`) : html`<th scope="row">Everything</th>`}
      ${query.metrics.map((metric) => cells(metric, row, query, unitFor(metric, names)))}
    </tr>`)} />`}
  </${Panel}>`;
}

function groupCell(labels, name, n, isRest, only) {
  if (isRest) return n === 0 ? "All others" : "";
  return html`<button class="plain swatch-text" title="Only this ${name}" onClick=${() => only({ [name]: labels[name] })}>${labels[name] || `no ${name}`}</button>`;
}

function cells(metric, row, { compare }, unit) {
  const value = row.values[metric.as];
  const few = isPercentile(metric.fn) && row.counts[metric.as] < FEW;
  const before = compare && row.previous[metric.as];
  return html`<td class="n ${few ? "pale" : ""}">${numberText(value, unit)}${isPercentile(metric.fn) && value !== null && html` <span class="count">n=${numberText(row.counts[metric.as])}</span>`}</td>
    ${compare && html`<td class="n">${numberText(before, unit)}</td><td class="n">${changeText(before, value)}</td>`}`;
}
