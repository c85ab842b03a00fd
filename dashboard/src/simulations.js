// Simulations: the executions of a run test as a trend, one of them, and two side by side with verdicts.
import { useEffect } from "preact/hooks";
import { request } from "./api.js";
import { useAnswer } from "./asking.js";
import { Chart } from "./chart.js";
import { csvOf } from "./copying.js";
import { FirstExecution } from "./first.js";
import { html } from "./html.js";
import { NOTHING, numberText } from "./numbers.js";
import { Choice, Failure, Panel, Table } from "./panel.js";
import { dayText, stampText, timeText } from "./zone.js";

const PATH = "sdk/api/v1/simulation";
const SHOWN = 50;

// What can be drawn: name, unit, and where it is in the metrics of an execution.
const MEASURES = {
  p95: ["Response time p95", "ms", (each) => each.latency.percentiles.p95],
  p50: ["Response time p50", "ms", (each) => each.latency.percentiles.p50],
  p99: ["Response time p99", "ms", (each) => each.latency.percentiles.p99],
  response: ["Response time, mean", "ms", (each) => measured(each, each.latency.avg_response_time_ms)],
  agent: ["Agent latency, mean", "ms", (each) => measured(each, each.latency.avg_agent_latency_ms)],
  duration: ["Duration, all calls", "s", (each) => each.cost.total_duration_seconds],
  user: ["User words a minute", "", (each) => measured(each, each.conversation.avg_user_wpm)],
  bot: ["Bot words a minute", "", (each) => measured(each, each.conversation.avg_bot_wpm)],
  talk: ["Talk ratio", "", (each) => measured(each, each.conversation.avg_talk_ratio)],
  user_interruptions: ["User interruption rate", "", (each) => measured(each, each.conversation.avg_user_interruption_rate)],
  ai_interruptions: ["AI interruption rate", "", (each) => measured(each, each.conversation.avg_ai_interruption_rate)],
  stop: ["Stop after interruption", "ms", (each) => measured(each, each.conversation.avg_stop_time_after_interruption_ms)],
  failed: ["Failed calls", "", (each) => each.calls.failed],
};
// Means of an execution without calls are 0: nothing was measured.
const measured = (metrics, value) => (metrics.calls.total ? value : null);

const instantOf = (text) => (text ? Date.parse(text) / 1000 : null);
const started = (each, zone) => (each.started_at ? stampText(instantOf(each.started_at), zone) : "without a start");

export function SimulationsPage({ title, state, zone, set }) {
  const runTests = useAnswer(request("organization", `${PATH}/run-tests`, { limit: "1000" }), { every: (found) => (found?.length === 0 ? 2 : 30), read: ({ result }) => result.results });
  const all = runTests.data ?? [];
  const name = state.get("run") ?? all[0]?.run_test_name ?? "";
  const missing = runTests.data !== null && !state.get("run") && name;
  useEffect(() => {
    if (missing) set({ run: name }, { replace: true });
  }, [missing, state]);
  const executions = useAnswer(name ? request("organization", `${PATH}/metrics`, { run_test_name: name, limit: String(SHOWN) }) : null, { every: 15, read: ({ result }) => result });
  if (runTests.data?.length === 0) return html`<div class="head"><h1>${title}</h1></div><${FirstExecution} />`;
  const measure = state.get("measure") in MEASURES ? state.get("measure") : "p95";
  const options = Object.fromEntries((all.some((each) => each.run_test_name === name) || !name ? all : [{ run_test_name: name, execution_count: 0 }, ...all]).map((each) => [each.run_test_name, `${each.run_test_name} (${numberText(each.execution_count)})`]));
  const found = executions.data?.results ?? [];
  const baseline = state.get("baseline") ?? "";
  const candidate = state.get("execution") ?? found[0]?.execution_id ?? "";
  return html`
    <div class="head"><h1>${title}</h1>
      <div class="fields"><${Choice} label="Run test" value=${name} options=${options} onChange=${(run) => set({ run, execution: null, baseline: null })} /></div>
    </div>
    ${runTests.error && html`<${Failure} error=${runTests.error} again=${runTests.again} />`}
    ${name && html`<div class="grid">
      <${Trend} executions=${executions} measure=${measure} chosen=${candidate} zone=${zone} set=${set} />
      ${candidate && html`<${Execution} key=${candidate} id=${candidate} zone=${zone} />`}
      <div class="wide"><${Executions} executions=${executions} baseline=${baseline} candidate=${candidate} zone=${zone} set=${set} /></div>
      ${baseline && candidate && html`<div class="wide"><${Comparison} key=${baseline + candidate} baseline=${baseline} candidate=${candidate} zone=${zone} /></div>`}
    </div>`}`;
}

function Trend({ executions, measure, zone, set }) {
  const [label, unit, read] = MEASURES[measure];
  const choose = html`<select aria-label="What the trend shows" value=${measure} onChange=${(event) => set({ measure: event.target.value })}>${Object.entries(MEASURES).map(([name, [text]]) => html`<option key=${name} value=${name}>${text}</option>`)}</select>`;
  const inOrder = (data) => [...data.results].reverse();
  const csv = () => csvOf(["execution_id", "started_at", measure], inOrder(executions.data).map((each) => [each.execution_id, each.started_at, read(each.metrics)]));
  return html`<${Panel} title="Trend" note=${executions.data?.count > SHOWN ? `The last ${SHOWN} of ${numberText(executions.data.count)} executions` : ""} answer=${executions} csv=${csv} extra=${choose} isEmpty=${({ results }) => !results.length} empty="This run test has no execution.">
    ${(data) => {
      const rows = inOrder(data);
      const text = (each) => (each.started_at ? dayText(instantOf(each.started_at), zone).split(" ").slice(1, 3).join(" ") : NOTHING);
      const plot = {
        zone, start: 0, end: rows.length, now: Infinity, unit, mode: measure === "failed" ? "bar" : "line", whole: measure === "failed", fromZero: true,
        buckets: rows.map((each, n) => ({ start: n, end: n + 1, label: started(each, zone) })),
        series: [{ name: measure, label, colour: "series-1", values: rows.map((each) => read(each.metrics) ?? null) }],
        marks: (u) => { const every = Math.ceil(rows.length / Math.max(2, Math.floor(u.width / 60))); return rows.map((_, n) => n + 0.5).filter((_, n) => n % every === 0); },
        markTexts: (splits) => splits.map((each) => text(rows[Math.floor(each)] ?? {})),
      };
      return html`<${Chart} label="${label} by execution" plot=${plot} />`;
    }}
  </${Panel}>`;
}

function Executions({ executions, baseline, candidate, zone, set }) {
  const columns = [{ title: "Baseline" }, { title: "Candidate" }, "Started", "Status", { title: "Calls", n: true }, { title: "Failed", n: true }, { title: "p50", n: true }, { title: "p95", n: true }, { title: "p99", n: true }, { title: "Agent latency", n: true }, { title: "Duration", n: true }];
  const csv = () => csvOf(["execution_id", "started_at", "status", "total_calls", "failed_calls", ...Object.keys(MEASURES)], executions.data.results.map((each) => [each.execution_id, each.started_at, each.status, each.total_calls, each.failed_calls, ...Object.values(MEASURES).map(([, , read]) => read(each.metrics))]));
  const value = (each, measure) => numberText(MEASURES[measure][2](each.metrics) ?? null, MEASURES[measure][1]);
  const pick = (each, name, other) => html`<input type="radio" name=${name} checked=${(name === "baseline" ? baseline : candidate) === each.execution_id} disabled=${other === each.execution_id} aria-label="${name === "baseline" ? "Baseline" : "Candidate"}: ${started(each, zone)}" onChange=${() => set({ [name === "baseline" ? "baseline" : "execution"]: each.execution_id })} />`;
  return html`<${Panel} title="Executions" note="Choose a baseline to see two side by side" answer=${executions} csv=${csv} isEmpty=${({ results }) => !results.length} empty="This run test has no execution.">
    ${({ results }) => html`<${Table} tall caption="Executions" columns=${columns} rows=${results.map((each) => html`<tr key=${each.execution_id} class=${each.execution_id === candidate ? "chosen" : ""}>
      <td>${pick(each, "baseline", candidate)}</td><td>${pick(each, "candidate", baseline)}</td><th scope="row">${started(each, zone)}</th><td><${Status} status=${each.status} /></td>
      <td class="n">${numberText(each.total_calls)}</td><td class="n ${each.failed_calls ? "worse" : ""}">${numberText(each.failed_calls)}</td>${["p50", "p95", "p99", "agent", "duration"].map((name) => html`<td class="n" key=${name}>${value(each, name)}</td>`)}</tr>`)} />`}
  </${Panel}>`;
}

const Status = ({ status }) => html`<span class="status ${status}">${status ?? NOTHING}</span>`;

function Execution({ id, zone }) {
  const found = useAnswer(request("organization", `${PATH}/metrics`, { execution_id: id }), { every: 15, read: ({ result }) => result });
  const figures = (each) => [
    ["Calls", numberText(each.total_calls), `${numberText(each.completed_calls)} completed`], ["Failed", numberText(each.failed_calls), ""],
    ...Object.entries(MEASURES).filter(([name]) => name !== "failed").map(([, [label, unit, read]]) => [label, numberText(read(each.metrics) ?? null), unit]),
  ];
  const csv = () => csvOf(["metric", "value"], Object.entries(MEASURES).map(([name, [, , read]]) => [name, read(found.data.metrics)]));
  return html`<${Panel} title="Execution" note=${found.data ? `${started(found.data, zone)}${found.data.completed_at ? ` to ${timeText(instantOf(found.data.completed_at), zone)}` : ""}` : ""} answer=${found} csv=${csv}>
    ${(each) => html`<p class="mono label">${each.execution_id} <${Status} status=${each.status} /></p><div class="figures small">${figures(each).map(([label, text, more]) => html`<div class="figure" key=${label}><span class="label">${label}</span><div class="value">${text}${text !== NOTHING && more && html`<small> ${more}</small>`}</div></div>`)}</div>`}
  </${Panel}>`;
}

const VERDICTS = { better: "▲ better", worse: "▼ worse", same: "same", unknown: NOTHING };

function Comparison({ baseline, candidate, zone }) {
  const found = useAnswer(request("organization", `${PATH}/compare`, { baseline_execution_id: baseline, execution_id: candidate }), { read: ({ result }) => result });
  const csv = () => csvOf(["metric", "baseline", "candidate", "difference", "difference_percent", "better", "verdict"], found.data.metrics.map((each) => [each.metric, each.baseline, each.candidate, each.difference, each.difference_percent, each.better, each.verdict]));
  const signed = (value, unit) => (value === null ? NOTHING : `${value > 0 ? "+" : ""}${numberText(value)}${unit}`);
  return html`<${Panel} title="Side by side" note=${found.data ? `${started(found.data.baseline, zone)} and ${started(found.data.candidate, zone)}` : ""} answer=${found} csv=${csv}>
    ${({ metrics }) => html`<${Table} caption="Two executions side by side" columns=${["Metric", { title: "Baseline", n: true }, { title: "Candidate", n: true }, { title: "Difference", n: true }, { title: "%", n: true }, "Better is", "Verdict"]} rows=${metrics.map((each) => html`<tr key=${each.metric}>
      <th scope="row">${each.metric.replace("percentiles.", "").replace("avg_", "mean ").replaceAll("_", " ").replace(".", " · ")}</th><td class="n">${numberText(each.baseline)}</td><td class="n">${numberText(each.candidate)}</td><td class="n">${signed(each.difference, "")}</td><td class="n">${signed(each.difference_percent, " %")}</td><td class="label">${each.better}</td><td class=${each.verdict}>${VERDICTS[each.verdict] ?? each.verdict}</td></tr>`)} />`}
  </${Panel}>`;
}
