// The public REST API: asking, errors as they are told, and the same request for a shell.
import { headersOf, readCredentials, shellHeadersOf } from "./credentials.js";

// The page is served at <base>/ui/.
const BASE = new URL("../", document.baseURI);
const TIMEOUT_MS = 20000;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A request: {path, query, body, kind}; kind says which credential, `organization` or `live`. */
export const request = (kind, path, query = {}, body = null) => ({ kind, path, query, body });

export function urlOf({ path, query }) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  return url;
}

const secretOf = (asked) => readCredentials()[asked.kind]?.secret ?? "";

export async function send(asked, { accept = "application/json", signal, secret = secretOf(asked), timeout = TIMEOUT_MS } = {}) {
  const headers = { Accept: accept, ...headersOf(secret, asked.path) };
  if (asked.body) headers["Content-Type"] = "application/json";
  const signals = [signal, timeout && AbortSignal.timeout(timeout)].filter(Boolean);
  let response;
  try {
    response = await fetch(urlOf(asked), {
      method: asked.body ? "POST" : "GET",
      headers,
      body: asked.body ? JSON.stringify(asked.body) : undefined,
      signal: AbortSignal.any(signals),
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, error.name === "TimeoutError" ? "The server did not answer in time" : "The server cannot be reached");
  }
  if (response.ok) return response;
  let message = "";
  try {
    message = (await response.json()).message;
  } catch {
    // Something else than vumeter answered.
  }
  const error = new ApiError(response.status, message || `HTTP ${response.status}`);
  // The frame asks for another credential.
  if (response.status === 401) dispatchEvent(new CustomEvent("vumeter-refused", { detail: asked.kind }));
  throw error;
}

export const ask = async (asked, options) => (await send(asked, options)).json();

export async function askCsv(asked, options) {
  return (await send(asked, { ...options, accept: "text/csv" })).text();
}

/** Returns the request as a command; the credential comes from a variable. */
export function curlOf(asked) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl -s", quoted(urlOf(asked).href)];
  for (const each of shellHeadersOf(secretOf(asked), asked.path)) parts.push(`-H "${each}"`);
  if (asked.body) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(asked.body))}`);
  return parts.join(" ");
}

/** Exchanges the code of a sign-in link for keys. */
export async function redeemCode(code) {
  const { data } = await ask(request("", "v1/sign-in", {}, { code }), { secret: "" });
  return data.keys.map(({ key }) => key);
}

/** Asks who a secret belongs to. */
export async function askCaller(secret) {
  return (await ask(request("", "v1/caller"), { secret })).data;
}
