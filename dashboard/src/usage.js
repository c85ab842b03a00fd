// Usage: what the organization stores, how near its limits that is, what was rejected and why, its keys.
import { request } from "./api.js";
import { useAnswer } from "./asking.js";
import { csvOf } from "./copying.js";
import { Bar } from "./figures.js";
import { html } from "./html.js";
import { NOTHING, numberText, shareText, sizeText } from "./numbers.js";
import { Panel, Table } from "./panel.js";
import { stampText } from "./zone.js";

const LIMITS = { metrics: "Metrics", labelSets: "Label sets", labelValues: "Values of the largest label" };

export function UsagePage({ title, zone }) {
  const found = useAnswer(request("organization", "v1/custom-metrics/usage"), { every: 15, read: ({ data }) => data });
  const at = (text) => (text ? stampText(Date.parse(text) / 1000, zone) : NOTHING);
  return html`
    <div class="head"><h1>${title}</h1></div>
    <div class="grid">
      <${Stored} found=${found} />
      <${Limits} found=${found} />
      <${Rows} found=${found} title="Metrics" of="byMetric" columns=${{ metric: "Metric", type: "Type", points: "#Points", bytes: "#Size", labelValues: "#Label values" }} texts=${{ bytes: sizeText }} />
      <${Rows} found=${found} title="Labels" of="byLabel" columns=${{ label: "Label", values: "#Values", labelSets: "#Label sets", hasOther: "Beyond the limit" }} texts=${{ hasOther: (each) => (each ? "some are __other__" : NOTHING) }} empty="No label has been recorded." />
      <div class="wide"><${Rows} found=${found} title="Rejected in the last 24 hours" of="rejected" columns=${{ reason: "Reason", keyId: "Key", keyLabel: "Label", requests: "#Requests", points: "#Points", lastTime: "Last" }} texts=${{ lastTime: at }} empty="Nothing was rejected." /></div>
      <div class="wide"><${Rows} found=${found} title="Keys" of="keys" columns=${{ keyId: "Key", label: "Label", role: "Role", state: "State", lastUseTime: "Last use", createTime: "Created", expireTime: "Expires" }} texts=${{ lastUseTime: at, createTime: at, expireTime: at }} /></div>
    </div>`;
}

function Stored({ found }) {
  const figures = (data) => [["Points", numberText(data.points)], ["Size", sizeText(data.bytes)], ["Metrics", numberText(data.metrics)], ["Labels", numberText(data.labels)], ["Label sets", numberText(data.labelSets)]];
  return html`<${Panel} title="Stored" answer=${found} csv=${() => csvOf(["what", "number"], ["points", "bytes", "metrics", "labels", "labelSets"].map((name) => [name, found.data[name]]))}>
    ${(data) => html`<div class="figures">${figures(data).map(([label, text]) => html`<div class="figure" key=${label}><span class="label">${label}</span><div class="value">${text}</div></div>`)}</div>`}
  </${Panel}>`;
}

function Limits({ found }) {
  const used = (data) => ({ metrics: data.metrics, labelSets: data.labelSets, labelValues: Math.max(0, ...data.byLabel.map((each) => each.values)) });
  const rate = (value) => (value === null ? "no limit" : `${numberText(value)} a second`);
  return html`<${Panel} title="Limits" answer=${found} csv=${() => csvOf(["limit", "used", "most"], Object.keys(LIMITS).map((name) => [name, used(found.data)[name], found.data.limits[name]]))}>
    ${(data) => html`<${Table} caption="Limits" columns=${["Of", { title: "Used", n: true }, { title: "Limit", n: true }, { quiet: "Bar" }, { title: "Share", n: true }]} rows=${[...Object.entries(LIMITS).map(([name, label]) => {
      const [value, limit] = [used(data)[name], data.limits[name]];
      return html`<tr key=${name}><th scope="row">${label}</th><td class="n">${numberText(value)}</td><td class="n">${limit === null ? "none" : numberText(limit)}</td>
        <td class="bar-cell"><${Bar} share=${limit ? value / limit : 0} colour=${limit && value / limit >= 0.8 ? "series-2" : "series-1"} /></td><td class="n">${limit ? shareText(value / limit) : NOTHING}</td></tr>`;
    }), html`<tr key="rate"><th scope="row">Requests and points of a key</th><td colspan="4" class="n">${rate(data.limits.requestsPerSecond)}, ${rate(data.limits.pointsPerSecond)}</td></tr>`]} />`}
  </${Panel}>`;
}

/** A table of one list of the answer; a heading that begins with # is of numbers. */
function Rows({ found, title, of, columns, texts = {}, empty = "Nothing." }) {
  const names = Object.keys(columns);
  const text = (name, value) => texts[name]?.(value) ?? (typeof value === "number" ? numberText(value) : value ?? NOTHING);
  const kind = (name) => (columns[name].startsWith("#") ? "n" : "");
  return html`<${Panel} title=${title} answer=${found} csv=${() => csvOf(names, found.data[of].map((each) => names.map((name) => each[name])))} isEmpty=${(data) => !data[of].length} empty=${empty}>
    ${(data) => html`<${Table} tall caption=${title} columns=${names.map((name) => ({ title: columns[name].replace("#", ""), n: kind(name) === "n" }))} rows=${data[of].map((each, n) => html`<tr key=${n}>${names.map((name, at) => (at === 0
      ? html`<th scope="row" class="swatch-text">${text(name, each[name])}</th>` : html`<td class=${kind(name)}>${text(name, each[name])}</td>`))}</tr>`)} />`}
  </${Panel}>`;
}
