// What the user signed in with: a key of an organization, and for live metrics a key or the admin
// token. In sessionStorage alone: it goes with the tab, and never into a URL.
const NAME = "vumeter.credentials";
const KEY = /^vmk_[a-z2-7]{20}\.[A-Za-z0-9_-]{1,128}$/;

/** Whether a text has the form of a key, `<key id>.<secret>`. */
export const isKey = (text) => KEY.test(text);

/** Returns {organization, live}: each null or {secret, caller}. */
export function readCredentials() {
  try {
    return { organization: null, live: null, ...JSON.parse(sessionStorage.getItem(NAME) || "{}") };
  } catch {
    return { organization: null, live: null };
  }
}

export function saveCredentials(credentials) {
  if (credentials.organization || credentials.live) sessionStorage.setItem(NAME, JSON.stringify(credentials));
  else sessionStorage.removeItem(NAME);
}

/** Returns the headers that show a secret, for a path. */
export function headersOf(secret, path) {
  if (!secret) return {};
  if (!isKey(secret)) return { "X-Admin-Token": secret };
  if (!path.startsWith("sdk/")) return { Authorization: `Bearer ${secret}` };
  const [id, rest] = secret.split(".");
  return { "X-Api-Key": id, "X-Secret-Key": rest };
}

/** The same for a shell, from variables: what is copied can be passed on. */
export function shellHeadersOf(secret, path) {
  if (!isKey(secret)) return ['X-Admin-Token: $VUMETER_ADMIN_TOKEN'];
  if (!path.startsWith("sdk/")) return ["Authorization: Bearer $VUMETER_KEY"];
  return ["X-Api-Key: ${VUMETER_KEY%%.*}", "X-Secret-Key: ${VUMETER_KEY#*.}"];
}

/** Which of the two a caller's credential is: live metrics have roles of their own. */
export const kindOf = (caller) => (["operator", "reporter", "admin_token"].includes(caller.role) ? "live" : "organization");
