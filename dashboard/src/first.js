// What an empty database shows: requests that record something, and work when they are pasted.
import { urlOf } from "./api.js";
import { copyText, tell } from "./copying.js";
import { headersOf, readCredentials } from "./credentials.js";
import { html } from "./html.js";
import { Panel } from "./panel.js";
import { useState } from "preact/hooks";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The headers of who is signed in; the secret is hidden in what is shown. */
function ownHeaders(kind, path, shown) {
  const secret = readCredentials()[kind]?.secret ?? "";
  return Object.entries(headersOf(secret, path)).map(([name, value]) => `-H ${quoted(`${name}: ${shown ? value.replace(secret.split(".").at(-1), "••••••••") : value}`)}`);
}

function command(path, body, headers) {
  return [`curl ${quoted(urlOf({ path, query: {} }).href)} \\`, ...headers.map((each) => `  ${each} \\`), "  -H 'Content-Type: application/json' \\", `  -d ${quoted(JSON.stringify(body))}`].join("\n");
}

/**
 * `requests` are [path, body]; the key is hidden on the screen and part of what is copied. Where who is
 * signed in may not record, `variable` names what holds the key of somebody who may.
 */
export function First({ title, text, kind, requests, variable }) {
  const headers = (path, shown) => (variable ? [`-H "Authorization: Bearer $${variable}"`] : ownHeaders(kind, path, shown));
  const all = (shown) => requests.map(([path, body]) => command(path, body, headers(path, shown))).join("\n");
  const copied = variable ? `Copied. The key comes from ${variable}.` : "Copied, with the credential in it.";
  const copy = async () => tell((await copyText(all(false))) ? copied : "The browser does not allow to copy");
  return html`<${Panel} title=${title} class="first">
    <p>${text}</p>
    <pre tabindex="0" aria-label="Commands">${all(true)}</pre>
    <div class="row"><button class="main" onClick=${copy}>Copy</button><span class="label">Paste it into a terminal${variable ? "" : "; the hidden part is copied too"}. This page shows what arrives.</span></div>
  </${Panel}>`;
}

export const FirstPoint = () => html`<${First} title="Record the first point" kind="organization" text="Nothing is recorded yet. A point has a name, and most have labels; its metric comes into being with it."
  requests=${[["v1/custom-metrics", { points: [{ name: "booking_attempt", tags: { origin: "phone" } }, { name: "e2e_latency_ms", type: "histogram", value: 615, sessionId: "session_1", tags: { origin: "phone" } }] }]]} />`;

export function FirstEvent({ caller }) {
  const [stamp] = useState(() => new Date().toISOString());
  const event = (n, type) => ({ event_id: `first-${n}-${stamp}`, type, call_id: `first-call-${stamp}`, tenant_id: "tenant_1", occurred_at: stamp });
  const reads = caller.role === "operator" ? " A key of the role operator only reads: make one with `vumeter keys create --organization <name> --role reporter` and put it into VUMETER_REPORTER_KEY." : "";
  return html`<${First} title="Record the first call" kind="live" text=${`No call server has sent an event yet. This is what one sends when a call begins.${reads}`}
    variable=${reads && "VUMETER_REPORTER_KEY"}
    requests=${[["api/v1/metrics/events", { events: [event(1, "pending"), event(2, "accepted"), event(3, "started")] }]]} />`;
}

// Not crypto.randomUUID, which browsers have only with TLS or on this very machine.
const newUuid = () => "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (each) => (each ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (each / 4)))).toString(16));

export function FirstExecution() {
  const [[executionId, callId, started]] = useState(() => [newUuid(), newUuid(), new Date().toISOString()]);
  const execution = { execution_id: executionId, run_test_name: "My first run test", status: "completed", started_at: started };
  const call = { call_execution_id: callId, execution_id: executionId, status: "completed", duration_seconds: 42, latency: { avg_agent_latency_ms: 640, response_time_ms: 820 } };
  return html`<${First} title="Record the first execution" kind="organization" text="No run test has an execution yet."
    requests=${[["sdk/api/v1/simulation/executions", execution], ["sdk/api/v1/simulation/calls", { calls: [call] }]]} />`;
}
