// Live: what the call servers do this second, over the last hours, and how near tenants are to their limits.
import { request } from "./api.js";
import { useAnswer } from "./asking.js";
import { Chart } from "./chart.js";
import { csvOf } from "./copying.js";
import { Bar } from "./figures.js";
import { FirstEvent } from "./first.js";
import { html } from "./html.js";
import { numberText, shareText } from "./numbers.js";
import { Choice, Failure, Field, Panel, Table } from "./panel.js";
import { RANGES, lengthOf, readRange } from "./range.js";
import { useStream } from "./stream.js";
import { stampText, timeText } from "./zone.js";

const SPANS = Object.fromEntries(Object.entries(RANGES).filter(([name]) => lengthOf(name) <= 7 * 86400));
const REJECTIONS = { capacity: "Capacity", tenant_not_configured: "Tenant not configured", instructions_missing: "Instructions missing" };
const STATES = { pending: "Pending", unstarted: "Accepted, not started", active: "Active" };
const STATUS = { connecting: "Connecting …", live: "Connected", lost: "Connection lost, trying again", paused: "Paused" };

export function LivePage({ title, caller, state, zone, set }) {
  const tenant = caller.tenantId ?? state.get("tenant") ?? "";
  const range = readRange(state, zone, "1h");
  const watch = useStream(request("live", "api/v1/metrics/watch", { tenant_id: tenant, max_updates_per_second: "2" }));
  const step = lengthOf(range.step) ? range.step : "1h";
  const history = useAnswer(request("live", "api/v1/metrics/history", { tenant_id: tenant, startDate: range.startDate, endDate: range.endDate, timezone: zone, step }), { every: 30, read: readHistory });
  const tenants = useAnswer(caller.tenantId ? null : request("live", "api/v1/metrics/tenants", { limit: "1000" }), { every: 5 });
  const all = tenants.data?.data ?? [];
  const shown = tenant ? all.filter((each) => each.tenant_id === tenant) : all;
  const plot = { zone, start: range.start, end: range.end, now: Date.now() / 1000, fromZero: true, whole: true };
  const names = new Set(["", tenant, ...all.map((each) => each.tenant_id)]);
  return html`
    <div class="head">
      <h1>${title}</h1>
      <span class="state ${watch.status}" role="status">${STATUS[watch.status]}</span>
      <div class="fields">
        ${caller.tenantId
          ? html`<span class="label">Tenant ${caller.tenantId}</span>`
          : html`<${Choice} label="Tenant" value=${tenant} options=${Object.fromEntries([...names].map((each) => [each, each || "All tenants"]))} onChange=${(next) => set({ tenant: next })} />`}
        <${Choice} label="Range" value=${range.text ?? "1h"} options=${SPANS} onChange=${(next) => set({ range: next, from: null, to: null })} />
      </div>
    </div>
    ${watch.error && watch.error.status !== 401 && html`<${Failure} error=${watch.error} />`}
    ${!caller.tenantId && tenants.data && !all.length && html`<${FirstEvent} caller=${caller} />`}
    <div class="grid">
      <div class="wide"><${Counters} watch=${watch} tenant=${tenant} peak=${peakOf(history.data)} limit=${limitOf(shown, tenant)} /></div>
      <${ActiveCalls} history=${history} plot=${plot} set=${set} />
      <${Rejections} history=${history} plot=${plot} />
      ${!caller.tenantId && html`<${States} tenants=${tenants} shown=${shown} />`}
      ${!caller.tenantId && html`<${Capacity} tenants=${tenants} shown=${shown} zone=${zone} set=${set} />`}
    </div>`;
}

function readHistory({ data }) {
  const buckets = data.map((each) => ({ start: Date.parse(each.start) / 1000 }));
  const length = buckets.length > 1 ? buckets[1].start - buckets[0].start : 60;
  for (const each of buckets) each.end = each.start + length;
  return { data, buckets };
}

const peakOf = (history) => history && Math.max(0, ...history.data.map((each) => each.peak_active_calls));
const limitOf = (shown, tenant) => (tenant ? shown[0]?.max_concurrent_calls ?? null : null);
const sum = (values) => values.reduce((total, each) => total + each, 0);

function Counters({ watch, tenant, peak, limit }) {
  const value = watch.value;
  const rejected = value && sum(Object.keys(REJECTIONS).map((each) => value[`rejected_calls_${each}`]));
  const share = (part, whole) => (value && whole ? ` ${shareText(part / whole)}` : "");
  const count = (name) => numberText(value?.[name] ?? null);
  const figures = [
    ["Accepted", count("accepted_calls")], ["Started", count("started_calls")], ["Ended", count("ended_calls")],
    ["Failed", count("failed_calls"), share(value?.failed_calls, value?.ended_calls)],
    ["Rejected", numberText(rejected), share(rejected, rejected + (value?.accepted_calls ?? 0))],
    ["Referred", count("referred_calls")], ["Minutes", numberText(value && Math.round(value.minutes_processed))],
    ["Fallbacks used", count("fallback_instructions_used"), share(value?.fallback_instructions_used, value?.accepted_calls)],
    ["Instruction errors", count("instructions_db_errors")],
  ];
  const asked = request("live", tenant ? `api/v1/metrics/live/${encodeURIComponent(tenant)}` : "api/v1/metrics/live");
  const csv = () => csvOf(["counter", "value"], Object.entries(value ?? {}));
  return html`<${Panel} title="Counters" note="Totals since the service started" asked=${asked} csv=${csv}>
    <div class="live-top ${watch.status === "live" ? "" : "pale"}">
      <div class="figure hero">
        <${Meter} value=${value?.active_calls ?? 0} most=${limit ?? Math.max(peak ?? 0, 1)} />
        <span class="label">Active calls</span>
        <div class="value" data-counter="active_calls">${count("active_calls")}${limit ? html`<small> of ${numberText(limit)}</small>` : peak ? html`<small> peak ${numberText(peak)}</small>` : ""}</div>
      </div>
      <div class="figures">${figures.map(([label, text, part]) => html`<div class="figure" key=${label}><span class="label">${label}</span><div class="value">${text}<small>${part ?? ""}</small></div></div>`)}</div>
    </div>
  </${Panel}>`;
}

/** The needle that the product is named after: active calls, of the limit or of the peak in the range. */
function Meter({ value, most }) {
  const share = Math.min(value / most, 1.05);
  const angle = -52 + 104 * share;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const at = (part, radius) => { const a = ((-52 + 104 * part) * Math.PI) / 180; return [100 + radius * Math.sin(a), 98 - radius * Math.cos(a)]; };
  const arc = (from, to, radius) => `M${at(from, radius).join(" ")}A${radius} ${radius} 0 0 1 ${at(to, radius).join(" ")}`;
  return html`<svg class="meter" viewBox="14 2 172 98" aria-hidden="true">
    <path d=${arc(0, 0.8, 84)} fill="none" stroke="var(--edge)" stroke-width="2" />
    <path d=${arc(0.8, 1.05, 84)} fill="none" stroke="var(--series-2)" stroke-width="5" />
    ${ticks.map((part) => { const [[x1, y1], [x2, y2]] = [at(part, 84), at(part, 76)]; return html`<line x1=${x1} y1=${y1} x2=${x2} y2=${y2} stroke="var(--edge)" stroke-width="2" />`; })}
    <g class="needle" style=${{ transform: `rotate(${angle}deg)`, transformOrigin: "100px 98px" }}><line x1="100" y1="98" x2="100" y2="22" stroke="var(--text)" stroke-width="2.5" stroke-linecap="round" /></g>
    <circle cx="100" cy="98" r="6" fill="var(--text)" />
  </svg>`;
}

function ActiveCalls({ history, plot, set }) {
  const csv = () => csvOf(["start", "active_calls", "peak_active_calls"], history.data.data.map((each) => [each.start, each.active_calls, each.peak_active_calls]));
  return html`<${Panel} title="Active calls" note="Peak of each bucket, and the number at its end" answer=${history} csv=${csv}>
    ${({ data, buckets }) => html`<${Chart} label="Active calls over time" plot=${{ ...plot, buckets, mode: "line", series: [
      { name: "peak", label: "Peak", colour: "series-rest", values: data.map((each) => each.peak_active_calls) },
      { name: "active", label: "At the end", colour: "series-1", values: data.map((each) => each.active_calls) },
    ] }} />`}
  </${Panel}>`;
}

function Rejections({ history, plot }) {
  const reasons = Object.keys(REJECTIONS);
  const csv = () => csvOf(["start", ...reasons], history.data.data.map((each) => [each.start, ...reasons.map((name) => each[`rejected_calls_${name}`])]));
  return html`<${Panel} title="Rejections by reason" answer=${history} csv=${csv}>
    ${({ data, buckets }) => html`<${Chart} label="Rejected calls by reason over time" plot=${{ ...plot, buckets, mode: "stack", series: reasons.map((name, n) => (
      { name, label: `${REJECTIONS[name]} (${numberText(sum(data.map((each) => each[`rejected_calls_${name}`])))})`, colour: ["series-2", "series-7", "series-5"][n], values: data.map((each) => each[`rejected_calls_${name}`]) })) }} />`}
  </${Panel}>`;
}

function States({ tenants, shown }) {
  const counts = Object.fromEntries(Object.keys(STATES).map((name) => [name, sum(shown.map((each) => each[`${name}_calls`]))]));
  const most = Math.max(1, ...Object.values(counts));
  const csv = () => csvOf(["state", "calls"], Object.entries(counts));
  return html`<${Panel} title="Calls by state" note="Now" answer=${tenants} csv=${csv}>
    <${Table} caption="Calls by state" columns=${["State", { title: "Calls", n: true }, { quiet: "Share" }]} rows=${Object.entries(STATES).map(([name, label]) => html`<tr key=${name}>
      <th scope="row">${label}</th><td class="n">${numberText(counts[name])}</td><td class="bar-cell"><${Bar} share=${counts[name] / most} colour=${{ pending: "series-5", unstarted: "series-6", active: "series-1" }[name]} /></td></tr>`)} />
  </${Panel}>`;
}

function Capacity({ tenants, shown, zone, set }) {
  const most = Math.max(1, ...shown.map((each) => each.active_calls));
  const inOrder = [...shown].sort((one, other) => other.active_calls - one.active_calls);
  const csv = () => csvOf(["tenant_id", "active_calls", "max_concurrent_calls", "last_event_at"], inOrder.map((each) => [each.tenant_id, each.active_calls, each.max_concurrent_calls, each.last_event_at]));
  return html`<${Panel} title="Capacity by tenant" note="Active calls, and the limit where one is set" answer=${tenants} csv=${csv} isEmpty=${() => !shown.length} empty="No tenant has sent an event yet.">
    <${Table} tall caption="Capacity by tenant" columns=${["Tenant", { title: "Active", n: true }, { title: "Limit", n: true }, { quiet: "Share" }, { title: "Last event", n: true }]} rows=${inOrder.map((each) => {
      const limit = each.max_concurrent_calls;
      const share = limit === null ? each.active_calls / most : limit === 0 ? Number(each.active_calls > 0) : each.active_calls / limit;
      return html`<tr key=${each.tenant_id}><th scope="row"><button class="plain swatch-text" onClick=${() => set({ tenant: each.tenant_id })}>${each.tenant_id}</button></th>
        <td class="n">${numberText(each.active_calls)}</td><td class="n">${numberText(limit)}</td>
        <td class="bar-cell"><${Bar} share=${share} colour=${limit !== null && share >= 0.9 ? "series-2" : "series-1"} /></td>
        <td class="n">${each.last_event_at ? lastText(Date.parse(each.last_event_at) / 1000, zone) : "–"}</td></tr>`;
    })} />
  </${Panel}>`;
}

const lastText = (instant, zone) => (Date.now() / 1000 - instant < 43200 ? timeText(instant, zone, { seconds: true }) : stampText(instant, zone));
