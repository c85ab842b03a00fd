import { useEffect, useState } from "./preact-hooks-e81b3a5fe4.js";
export function readPlace(hash = location.hash) {
const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
return { page: decodeURIComponent(path) || "", state: new URLSearchParams(query) };
}

export function placeHref(page, state) {
const query = state.toString().replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",");
return `#/${encodeURIComponent(page)}${query ? `?${query}` : ""}`;
}
export function changed(state, changes) {
const next = new URLSearchParams(state);
for (const [name, value] of Object.entries(changes)) {
next.delete(name);
const values = Array.isArray(value) ? value : [value];
for (const each of values) if (each !== null && each !== undefined && each !== "") next.append(name, each);
}
return next;
}

export function goTo(page, state, { replace = false } = {}) {
const href = placeHref(page, state);
if (href === location.hash) return;
history[replace ? "replaceState" : "pushState"](null, "", href);
dispatchEvent(new Event("hashchange"));
}
export function usePlace() {
const [place, setPlace] = useState(() => readPlace());
useEffect(() => {
const follow = () => setPlace(readPlace());
addEventListener("hashchange", follow);
addEventListener("popstate", follow);
return () => {
removeEventListener("hashchange", follow);
removeEventListener("popstate", follow);
};
}, []);
return place;
}
export function shared(state) {
const kept = new URLSearchParams();
for (const name of ["zone", "theme"]) if (state.get(name)) kept.set(name, state.get(name));
return kept;
}
