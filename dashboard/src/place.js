// Where the user is: the page and all of its state, in the fragment of the URL, so that a link shows
// the same and no server sees it. `#/metrics?range=7d&zone=Europe%2FBerlin`
import { useEffect, useState } from "preact/hooks";

/** Returns {page, state, hash}: `state` is a URLSearchParams, `hash` the fragment that was read. */
export function readPlace(hash = location.hash) {
  const [page, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { page, state: new URLSearchParams(query), hash };
}

export function placeHref(page, state) {
  // What is needless to escape stays legible.
  const query = state.toString().replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",");
  return `#/${page}${query ? `?${query}` : ""}`;
}

/** Changes the state: a null or an empty value removes a name, an array gives it several times. */
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

/** Renders again when the place changes. */
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

/** What pages have in common and links between them keep. */
export function shared(state) {
  const kept = new URLSearchParams();
  for (const name of ["zone", "theme"]) if (state.get(name)) kept.set(name, state.get(name));
  return kept;
}
