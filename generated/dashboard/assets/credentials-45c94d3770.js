const NAME = "vumeter.credentials";
const KEY = /^vmk_[a-z2-7]{20}\.[A-Za-z0-9_-]{1,128}$/;
export const isKey = (text) => KEY.test(text);
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
export function headersOf(secret, path) {
if (!isKey(secret)) return { "X-Admin-Token": secret };
if (!path.startsWith("sdk/")) return { Authorization: `Bearer ${secret}` };
const [id, rest] = secret.split(".");
return { "X-Api-Key": id, "X-Secret-Key": rest };
}
export function shellHeadersOf(secret, path) {
if (!isKey(secret)) return ['X-Admin-Token: $VUMETER_ADMIN_TOKEN'];
if (!path.startsWith("sdk/")) return ["Authorization: Bearer $VUMETER_KEY"];
return ["X-Api-Key: ${VUMETER_KEY%%.*}", "X-Secret-Key: ${VUMETER_KEY#*.}"];
}
export const kindOf = (caller) => (["operator", "reporter", "admin_token"].includes(caller.role) ? "live" : "organization");
