// The frame of a figure: title, what it is of, its request as curl, its numbers as CSV; and what stands
// there while there are no numbers.
import { useEffect, useState } from "preact/hooks";
import { curlOf } from "./api.js";
import { copyText, saveFile, tell } from "./copying.js";
import { html } from "./html.js";

async function copyCurl(asked) {
  tell((await copyText(curlOf(asked))) ? "Copied. The key comes from a variable." : "The browser does not allow to copy");
}

async function saveCsv(title, csv) {
  try {
    saveFile(`${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}.csv`, await csv());
  } catch (error) {
    tell(error.message);
  }
}

/**
 * `answer` is what `useAnswer` returned, `asked` its request; `csv` returns the text of a file. `isEmpty`
 * says of data that there is nothing to draw.
 */
export function Panel({ title, note, answer, asked = answer?.asked, csv, isEmpty, empty = "Nothing was recorded in this range.", extra, children, ...rest }) {
  const { data, error, loading } = answer ?? {};
  const slow = useSlow(loading);
  return html`<section class="panel ${rest.class ?? ""} ${slow && data ? "stale" : ""}" aria-label=${title} aria-busy=${Boolean(loading)}>
    <header>
      <h2>${title}</h2>
      ${note && html`<span class="note">${note}</span>`}
      <div class="actions">
        ${extra}
        ${asked && html`<button class="plain" onClick=${() => copyCurl(asked)} aria-label="Copy ${title} as curl">curl</button>`}
        ${csv && html`<button class="plain" onClick=${() => saveCsv(title, csv)} aria-label="Save ${title} as CSV">CSV</button>`}
      </div>
    </header>
    ${error && html`<${Failure} error=${error} again=${answer.again} />`}
    ${body(answer, data, isEmpty, empty, children)}
  </section>`;
}

function body(answer, data, isEmpty, empty, children) {
  if (!answer) return children;
  if (data === null) return answer.error ? null : html`<p class="message">Loading …</p>`;
  if (isEmpty?.(data)) return html`<p class="message">${empty}</p>`;
  return typeof children === "function" ? children(data) : children;
}

/** What was shown pales only when the next answer takes long: no flicker. */
function useSlow(loading) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    setSlow(false);
    if (!loading) return undefined;
    const timer = setTimeout(() => setSlow(true), 400);
    return () => clearTimeout(timer);
  }, [loading]);
  return slow;
}

export function Failure({ error, again }) {
  return html`<p class="error" role="alert">${error.message}${again && html` <button onClick=${again}>Try again</button>`}</p>`;
}

export function Field({ label, children, ...rest }) {
  return html`<label class="field ${rest.class ?? ""}"><span>${label}</span>${children}</label>`;
}

export function Choice({ label, value, options, onChange, ...rest }) {
  const entries = Array.isArray(options) ? options.map((each) => [each, each]) : Object.entries(options);
  return html`<${Field} label=${label}><select value=${value} onChange=${(event) => onChange(event.target.value)} ...${rest}>
    ${entries.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`)}
  </select></${Field}>`;
}

/** One of a few, side by side. */
export function Segments({ label, value, options, onChange }) {
  return html`<div class="seg" role="group" aria-label=${label}>
    ${Object.entries(options).map(([name, text]) => html`<button key=${name} type="button" aria-pressed=${name === value} onClick=${() => onChange(name)}>${text}</button>`)}
  </div>`;
}

export function Table({ caption, columns, rows, tall }) {
  return html`<div class="scroll ${tall ? "tall" : ""}" tabindex="0" role="group" aria-label=${caption}><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((each) => html`<th scope="col" class=${each.n ? "n" : ""}>${each.quiet ? html`<span class="hidden">${each.quiet}</span>` : each.title ?? each}</th>`)}</tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`;
}
