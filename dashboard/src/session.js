// Session: everything that one session recorded, on a time line; before one is chosen, the sessions of a range.
import { useState } from "preact/hooks";
import { ask, request } from "./api.js";
import { useAnswer } from "./asking.js";
import { csvOf } from "./copying.js";
import { html } from "./html.js";
import { numberText, unitOf } from "./numbers.js";
import { Field, Panel, Table } from "./panel.js";
import { defaultFunction } from "./query.js";
import { readRange } from "./range.js";
import { RangeFields } from "./rangefields.js";
import { dateText, dayText, localText, midnight, stampText, timeText } from "./zone.js";

const RANGES = { "1h": "Last hour", "6h": "Last 6 hours", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" };
const LISTED = 50;
// A query has at most so many metrics.
const METRICS_A_QUERY = 20;
// A session is looked for in so many days before its last point.
const DAYS_BACK = 31;
const STEPS = [1, 2, 5, 10, 30, 60, 300, 900];
const MOST_STEPS = 10000;

export function SessionPage({ title, state, zone, set }) {
  const session = state.get("session") ?? "";
  const known = useAnswer(request("organization", "v1/custom-metrics/metrics"), { read: ({ data }) => data });
  const [typed, setTyped] = useState(session);
  const open = (event) => {
    event.preventDefault();
    set({ session: typed.trim() });
  };
  return html`
    <div class="head"><h1>${title}</h1>
      <form class="fields" onSubmit=${open}>
        <${Field} label="Session id"><input class="mono" size="28" value=${typed} spellcheck=${false} autocomplete="off" onInput=${(event) => setTyped(event.target.value)} /></${Field}>
        <button class="main" disabled=${!typed.trim()}>Open</button>
        ${session && html`<button type="button" onClick=${() => { setTyped(""); set({ session: null }); }}>All sessions</button>`}
      </form>
    </div>
    ${known.data && (session
      ? html`<${TimeLine} key=${session} session=${session} known=${known.data} zone=${zone} />`
      : html`<${Sessions} known=${known.data} state=${state} zone=${zone} set=${set} open=${(id) => { setTyped(id); set({ session: id }); }} />`)}`;
}

function Sessions({ known, state, zone, set, open }) {
  const range = readRange(state, zone, "24h");
  const metrics = known.slice(0, METRICS_A_QUERY).map(({ name }, n) => ({ as: `n${n}`, metric: name, function: "count" }));
  const asked = metrics.length ? request("organization", "v1/custom-metrics/query", {}, {
    startDate: range.startDate, endDate: range.endDate, timezone: zone, metrics,
    formulas: [], filters: [{ label: "session_id", op: "!=", value: "" }], groupBy: ["session_id"], limit: LISTED,
  }) : null;
  const found = useAnswer(asked, { every: 30, read: ({ data }) => ({ all: data.groups, rows: data.rows.map(({ labels, counts }) => ({ id: labels.session_id, count: Object.values(counts).reduce((total, each) => total + each, 0), metrics: Object.values(counts).filter(Boolean).length })) }) });
  return html`<${Panel} title="Sessions" note=${found.data?.all > LISTED ? `${LISTED} of ${numberText(found.data.all)}, those with the most ${known[0].name} first` : ""} answer=${found}
    csv=${() => csvOf(["session_id", "values", "metrics"], found.data.rows.map((each) => [each.id, each.count, each.metrics]))}
    extra=${html`<div class="fields"><${RangeFields} range=${range} state=${state} set=${set} ranges=${RANGES} /></div>`} isEmpty=${({ rows }) => !rows.length} empty="No session recorded anything in this range.">
    ${({ rows }) => html`<${Table} caption="Sessions" columns=${["Session", { title: "Metrics", n: true }, { title: "Values", n: true }]} rows=${rows.map((each) => html`<tr key=${each.id}>
      <th scope="row"><button class="plain mono" onClick=${() => open(each.id)}>${each.id}</button></th><td class="n">${numberText(each.metrics)}</td><td class="n">${numberText(each.count)}</td></tr>`)} />`}
  </${Panel}>`;
}

const ofSession = (session, body) => request("organization", "v1/custom-metrics/query", {}, { ...body, filters: [{ label: "session_id", op: "=", value: session }] });

/** Asks for what happened when: first on which days, then by the second. */
async function findEvents(session, series, known, zone, signal) {
  const names = [...new Set(series.map((each) => each.metric_name))];
  const last = Math.max(...series.map((each) => each.at));
  const typeOf = Object.fromEntries(known.map((each) => [each.name, each]));
  const columns = names.map((name, n) => ({ as: `m${n}`, metric: name, function: typeOf[name]?.type === "counter" ? "sum" : defaultFunction(typeOf[name]) === "p95" ? "max" : "last" }));
  const ask1 = async (body) => {
    const answers = [];
    for (let at = 0; at < columns.length; at += METRICS_A_QUERY) answers.push(...(await ask(ofSession(session, { ...body, timezone: zone, metrics: columns.slice(at, at + METRICS_A_QUERY) }), { signal })).data.rows);
    return answers;
  };
  const until = localText(Math.floor(last) + 60, zone);
  const days = await ask1({ startDate: dateText(midnight(last, zone, -DAYS_BACK), zone), endDate: until, step: "day" });
  if (!days.length) return { events: [], step: 1, columns };
  const start = Math.min(...days.map((each) => Date.parse(each.start) / 1000));
  const step = STEPS.find((each) => (last + 60 - start) / each <= MOST_STEPS) ?? 3600;
  const rows = await ask1({ startDate: localText(start, zone), endDate: until, step: `${step}s` });
  const events = rows.flatMap((row) => columns.filter(({ as }) => row.counts[as] > 0).map(({ as, metric }) => ({ at: Date.parse(row.start) / 1000, name: metric, value: row.values[as], count: row.counts[as] })));
  return { events: events.sort((one, other) => one.at - other.at), step, columns };
}

function TimeLine({ session, known, zone }) {
  const found = useAnswer(request("organization", `v1/custom-metrics/sessions/${encodeURIComponent(session)}`), {
    every: 15,
    read: async ({ data }, signal) => {
      const series = data.result.map(({ metric, value }) => ({ ...metric, at: value[0], value: Number(value[1]) }));
      return { series, ...(series.length ? await findEvents(session, series, known, zone, signal) : { events: [], step: 1 }) };
    },
  });
  const unit = (name) => unitOf(known.find((each) => each.name === name) ?? { name });
  const csv = () => csvOf(["metric", "labels", "last_time", "value"], found.data.series.map(({ metric_name: name, at, value, ...labels }) => [name, JSON.stringify(labels), at, value]));
  const csvEvents = () => csvOf(["time", "metric", "value", "values"], found.data.events.map((each) => [new Date(each.at * 1000).toISOString(), each.name, each.value, each.count]));
  return html`
    <${Panel} title="Time line" note=${session} answer=${found} csv=${csvEvents} isEmpty=${({ series }) => !series.length} empty="No point was recorded with this session.">
      ${(data) => html`<${Lanes} data=${data} zone=${zone} unit=${unit} />`}
    </${Panel}>
    ${found.data?.series.length > 0 && html`<${Panel} title="Metrics of the session" note="Counters: the sum. Gauges: the last value. Histograms: the 95th percentile" answer=${found} csv=${csv}>
      ${({ series }) => html`<${Table} caption="Metrics of the session" columns=${["Metric", "Labels", { title: "Value", n: true }, { title: "Last point", n: true }]} rows=${series.map(({ metric_name: name, at, value, ...labels }) => html`<tr key=${name + JSON.stringify(labels)}>
        <th scope="row">${name}</th><td class="labels">${Object.entries(labels).filter(([, text]) => text).map(([key, text]) => html`<span class="tag"><span class="label">${key}</span> ${text}</span>`)}</td>
        <td class="n">${numberText(value, unit(name))}</td><td class="n">${stampText(at, zone, { seconds: true })}</td></tr>`)} />`}
    </${Panel}>`}`;
}

const WIDE = 1000;

function Lanes({ data, zone, unit }) {
  const { events, step } = data;
  const [chosen, setChosen] = useState(null);
  if (!events.length) return html`<p class="message">Its points are older than ${DAYS_BACK} days before the last one.</p>`;
  const [first, last] = [events[0].at, events.at(-1).at + step];
  const x = (at) => 8 + ((at + step / 2 - first) / Math.max(last - first, 1)) * (WIDE - 16);
  const names = [...new Set(events.map((each) => each.name))].sort((one, other) => events.find((each) => each.name === one).at - events.find((each) => each.name === other).at);
  const most = Object.fromEntries(names.map((name) => [name, Math.max(...events.filter((each) => each.name === name).map((each) => Math.abs(each.value ?? 0)), 1e-9)]));
  const at = (instant) => timeText(instant, zone, { seconds: true });
  const mark = (each, n) => html`<line key=${n} class="mark ${chosen === each.at ? "chosen" : ""}" x1=${x(each.at)} x2=${x(each.at)} y1="22" y2=${20 - 17 * Math.max(Math.abs(each.value ?? 0) / most[each.name], 0.12)} onMouseEnter=${() => setChosen(each.at)}><title>${at(each.at)}  ${numberText(each.value, unit(each.name))}</title></line>`;
  const lane = (name) => html`<tr key=${name}><th scope="row">${name}</th><td class="lane"><svg viewBox="0 0 ${WIDE} 24" preserveAspectRatio="none" role="img" aria-label="${events.filter((each) => each.name === name).length} points of ${name}">
    <line class="ground" x1="0" x2=${WIDE} y1="22.5" y2="22.5" />${events.filter((each) => each.name === name).map(mark)}</svg></td></tr>`;
  return html`
    <p class="readout">${dayText(first, zone)}, ${at(first)} to ${at(last)} · ${numberText(events.length)} points · ${durationText(last - first)}${step > 1 ? ` · in steps of ${durationText(step)}` : ""}</p>
    <div class="scroll" tabindex="0" role="group" aria-label="Lanes"><table class="lanes"><tbody>${names.map(lane)}</tbody></table></div>
    <${Table} tall caption="Points of the session" columns=${["Time", { title: "After", n: true }, "Metric", { title: "Value", n: true }]} rows=${events.map((each, n) => html`<tr key=${n} class=${chosen === each.at ? "chosen" : ""} onMouseEnter=${() => setChosen(each.at)}>
      <td>${at(each.at)}</td><td class="n">${durationText(each.at - first)}</td><th scope="row">${each.name}</th><td class="n">${numberText(each.value, unit(each.name))}${each.count > 1 && html` <span class="count">n=${each.count}</span>`}</td></tr>`)} />`;
}

function durationText(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
