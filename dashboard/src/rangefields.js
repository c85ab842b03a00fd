// Choosing a range, one of the usual ones up to now or from one local time to another, and a step.
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { Choice, Field } from "./panel.js";
import { RANGES, STEPS } from "./range.js";
import { localText } from "./zone.js";

const OTHER = "other";
const TIME = "\\d{4}-\\d\\d-\\d\\d([T ]\\d\\d:\\d\\d)?";

export function RangeFields({ range, state, set, ranges = RANGES }) {
  const zone = state.get("zone");
  const options = { ...ranges, ...(range.text && !(range.text in ranges) && { [range.text]: `Last ${range.text}` }), [OTHER]: "From … to …" };
  const choose = (text) => set(text === OTHER ? { range: null, from: localText(range.start, zone), to: localText(range.end, zone) } : { range: text, from: null, to: null });
  return html`
    <${Choice} label="Range" value=${range.text ?? OTHER} options=${options} onChange=${choose} />
    ${!range.text && html`<${Time} label="From" name="from" state=${state} set=${set} /><${Time} label="To" name="to" state=${state} set=${set} />`}`;
}

function Time({ label, name, state, set }) {
  const [wrong, setWrong] = useState(false);
  const change = ({ target }) => {
    setWrong(!target.validity.valid || !target.value);
    if (target.validity.valid && target.value) set({ [name]: target.value.trim().replace(" ", "T") });
  };
  return html`<${Field} label=${label}><input size="16" placeholder="2025-04-01T09:30" pattern=${TIME} value=${state.get(name)} spellcheck=${false} autocomplete="off" aria-invalid=${wrong} onChange=${change} /></${Field}>`;
}

export function StepField({ range, state, set }) {
  const asked = state.get("step") || "auto";
  const options = { ...STEPS, auto: `auto (${STEPS[range.step] ?? range.step})`, ...(!(asked in STEPS) && { [asked]: asked }) };
  return html`<${Choice} label="Step" value=${asked} options=${options} onChange=${(step) => set({ step: step === "auto" ? null : step })} />`;
}
