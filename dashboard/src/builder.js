// The form of a query: metrics with their functions, groups, filters, range, step, comparison.
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { Choice, Field, Panel } from "./panel.js";
import { COMPARED, FUNCTIONS, OPERATORS, SYSTEM_LABELS, TOPS, defaultFunction, metricText, writeFilters } from "./query.js";
import { RangeFields, StepField } from "./rangefields.js";

/** `tags` are the values of each label; null until they are known, when no label can be chosen yet. */
export function Builder({ query, range, state, names, tags, set }) {
  const labels = tags && [...Object.keys(tags), ...SYSTEM_LABELS];
  const chosen = query.metrics.map(({ fn, name }) => metricText(fn, name));
  const replaced = (n, text) => set({ m: chosen.map((each, index) => (index === n ? text : each)) });
  return html`<${Panel} title="Query" class="builder">
    <div class="rows">
      ${query.metrics.map(({ fn, name }, n) => html`<div class="metric" key=${n}>
        <${Choice} label=${n ? "" : "Metric"} aria-label="Metric ${n + 1}" value=${name} options=${withOne(names.map((each) => each.name), name)}
          onChange=${(next) => replaced(n, metricText(defaultFunction(names.find((each) => each.name === next)), next))} />
        <${Choice} label=${n ? "" : "Function"} aria-label="Function ${n + 1}" value=${fn} options=${FUNCTIONS} onChange=${(next) => replaced(n, metricText(next, name))} />
        <button class="plain" aria-label="Remove ${name} ${fn}" disabled=${chosen.length === 1} onClick=${() => set({ m: chosen.filter((_, index) => index !== n) })}>✕</button>
      </div>`)}
      <div><button class="plain add" disabled=${chosen.length >= 20 || !names.length} onClick=${() => set({ m: [...chosen, nextMetric(names, query.metrics)] })}>+ Metric</button></div>
      <${Filters} filters=${query.filters} labels=${labels} tags=${tags} set=${set} />
    </div>
    <div class="rows">
      <div class="row">
        <${Groups} group=${query.group} labels=${labels} set=${set} />
      </div>
      ${query.group.length > 0 && html`<div class="row">
        <${Choice} label="Groups" value=${String(query.top)} options=${TOPS} onChange=${(top) => set({ top })} />
        <${Field} label="All others together" class="check"><input type="checkbox" checked=${query.rest} onChange=${(event) => set({ rest: event.target.checked ? null : "no" })} /></${Field}>
      </div>`}
      <div class="row">
        <${Choice} label="Compare with" value=${query.compare} options=${COMPARED} onChange=${(compare) => set({ compare })} />
      </div>
    </div>
    <div class="rows">
      <div class="row"><${RangeFields} range=${range} state=${state} set=${set} /></div>
      <div class="row"><${StepField} range=${range} state=${state} set=${set} /></div>
    </div>
  </${Panel}>`;
}

const withOne = (all, one) => (all.includes(one) ? all : [one, ...all]);

function nextMetric(names, metrics) {
  const next = names.find((each) => !metrics.some(({ name }) => name === each.name)) ?? names[0];
  return metricText(defaultFunction(next), next.name);
}

function Groups({ group, labels, set }) {
  const left = (labels ?? []).filter((each) => !group.includes(each));
  return html`
    <${Field} label="Group by"><select value="" disabled=${!labels || group.length >= 5} onChange=${(event) => set({ group: [...group, event.target.value] })}>
      <option value="">${group.length ? "and by …" : "nothing"}</option>${left.map((each) => html`<option key=${each}>${each}</option>`)}
    </select></${Field}>
    ${group.length > 0 && html`<ul class="chips">${group.map((each) => html`<li key=${each} class="chip">${each}<button aria-label="Do not group by ${each}" onClick=${() => set({ group: group.filter((other) => other !== each) })}>✕</button></li>`)}</ul>`}`;
}

function Filters({ filters, labels, tags, set }) {
  const [draft, setDraft] = useState(null);
  const save = (next) => set({ f: writeFilters(next) });
  const add = (event) => {
    event.preventDefault();
    save([...filters, draft]);
    setDraft(null);
  };
  return html`
    <span class="label">Filters</span>
    ${filters.length > 0 && html`<ul class="chips">${filters.map((each, n) => html`<li key=${n} class="chip mono">${each.label} ${OPERATORS[each.op]} ${each.value || '""'}
      <button aria-label="Remove the filter ${each.label} ${OPERATORS[each.op]} ${each.value}" onClick=${() => save(filters.filter((_, index) => index !== n))}>✕</button></li>`)}</ul>`}
    ${draft
      ? html`<form class="row" onSubmit=${add}>
          <${Choice} label="Label" value=${draft.label} options=${labels} onChange=${(label) => setDraft({ ...draft, label, value: "" })} />
          <${Choice} label="Is" value=${draft.op} options=${OPERATORS} onChange=${(op) => setDraft({ ...draft, op })} />
          <${Field} label="Value"><input list="values" size="14" value=${draft.value} autocomplete="off" spellcheck=${false} ref=${focusOnce} onInput=${(event) => setDraft({ ...draft, value: event.target.value })} /></${Field}>
          <datalist id="values">${(tags[draft.label] ?? []).map((each) => html`<option key=${each} value=${each} />`)}</datalist>
          <button class="main">Filter</button><button type="button" class="plain" onClick=${() => setDraft(null)}>Cancel</button>
        </form>`
      : html`<div><button class="plain add" disabled=${!labels || filters.length >= 20} onClick=${() => setDraft({ op: "is", label: labels[0], value: "" })}>+ Filter</button></div>`}`;
}

function focusOnce(element) {
  if (element && !element.dataset.seen) {
    element.dataset.seen = "1";
    element.focus();
  }
}
