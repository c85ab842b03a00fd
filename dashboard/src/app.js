// The frame: navigation, the time zone and theme of everything, who is signed in, and the page.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { chooseTheme } from "./colours.js";
import { readCredentials, saveCredentials } from "./credentials.js";
import { html } from "./html.js";
import { LivePage } from "./live.js";
import { MetricsPage } from "./metrics.js";
import { changed, goTo, placeHref, shared, usePlace } from "./place.js";
import { SessionPage } from "./session.js";
import { SignIn, SignInByLink } from "./signin.js";
import { SimulationsPage } from "./simulations.js";
import { UsagePage } from "./usage.js";
import { isZone, ownZone, zones } from "./zone.js";

// In the order of the navigation; `needs` is the credential that a page is asked with.
const PAGES = {
  live: { title: "Live", needs: "live", view: LivePage },
  metrics: { title: "Metrics", needs: "organization", view: MetricsPage },
  session: { title: "Session", needs: "organization", view: SessionPage },
  simulations: { title: "Simulations", needs: "organization", view: SimulationsPage },
  usage: { title: "Usage", needs: "organization", view: UsagePage },
};

// The place of sign-in links, `#/sign-in?code=...`.
const LINKED = "sign-in";

function App() {
  const { page, state, hash } = usePlace();
  const [credentials, setCredentials] = useState(readCredentials);
  const [refused, setRefused] = useState(null);
  const named = page in PAGES ? page : credentials.organization ? "metrics" : "live";
  const zone = isZone(state.get("zone")) ? state.get("zone") : ownZone();
  const theme = state.get("theme") ?? "";

  const set = (changes, options) => {
    // What the page fills in by itself must not undo that the user has just gone elsewhere.
    if (options?.replace && hash !== location.hash) return;
    goTo(named, changed(state, changes), options);
  };

  useEffect(() => {
    // A link shows the same to somebody in another time zone.
    if (page === LINKED) return;
    if (page !== named || state.get("zone") !== zone) set({ zone }, { replace: true });
  });
  useEffect(() => chooseTheme(theme), [theme]);
  useEffect(() => {
    document.title = `${page === LINKED ? "Sign in" : PAGES[named].title} · vumeter`;
  }, [page, named]);
  useEffect(() => {
    const refuse = ({ detail }) => {
      if (!detail) return;
      const left = { ...readCredentials(), [detail]: null };
      saveCredentials(left);
      setCredentials(left);
      setRefused(detail);
    };
    addEventListener("vumeter-refused", refuse);
    return () => removeEventListener("vumeter-refused", refuse);
  }, []);

  const { needs, view: View, title } = PAGES[named];
  const nobody = !credentials.organization && !credentials.live;
  const signedIn = (found) => {
    setRefused(null);
    setCredentials(found);
    if (page === LINKED) goTo("", shared(state), { replace: true });
    // Whoever signs in first is shown a page that the credential opens.
    else if (nobody && !found[needs]) goTo(found.live ? "live" : "metrics", shared(state));
  };
  const caller = page === LINKED ? null : credentials[needs]?.caller;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>To the content</a>
    <header class="bar">
      <a class="brand" href=${placeHref("live", shared(state))}><${Brand} />vumeter</a>
      <nav aria-label="Pages"><ul class="nav">${Object.entries(PAGES).map(([name, each]) => html`<li key=${name}>
        <a href=${placeHref(name, shared(state))} aria-current=${name === named && page !== LINKED ? "page" : undefined}>${each.title}</a></li>`)}</ul></nav>
      <div class="settings">
        <${ZoneField} zone=${zone} onChange=${(next) => set({ zone: next })} />
        <select aria-label="Theme" value=${theme} onChange=${(event) => set({ theme: event.target.value })}>
          <option value="">Auto</option><option value="light">Light</option><option value="dark">Dark</option>
        </select>
        ${!nobody && html`<button onClick=${() => { saveCredentials({}); setRefused(null); setCredentials(readCredentials()); }}>Sign out</button>`}
      </div>
    </header>
    <main id="main" tabindex="-1">
      ${caller
        ? html`<${View} key=${named} title=${title} caller=${caller} state=${state} zone=${zone} set=${set} />`
        : page === LINKED
          ? html`<${SignInByLink} code=${state.get("code")} onTaken=${() => goTo(LINKED, shared(state), { replace: true })} onSignedIn=${signedIn} />`
          : html`<${SignIn} key=${needs} needed=${nobody ? null : needs} told=${refused === needs ? "The credential is no longer valid." : ""} onSignedIn=${signedIn} />`}
    </main>`;
}

function ZoneField({ zone, onChange }) {
  const [all] = useState(zones);
  const choose = (event) => {
    if (isZone(event.target.value)) onChange(event.target.value);
    else event.target.value = zone;
  };
  return html`<label class="fields"><span class="hidden">Time zone</span><input list="zones" value=${zone} size="17" spellcheck=${false} autocomplete="off" onChange=${choose} aria-label="Time zone" />
    <datalist id="zones">${all.map((each) => html`<option key=${each} value=${each} />`)}</datalist></label>`;
}

function Brand() {
  return html`<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M4 24a13 13 0 0 1 24 0" fill="none" stroke="var(--accent)" stroke-width="3" stroke-linecap="round" /><path d="M16 25 22 11" stroke="var(--series-2)" stroke-width="3" stroke-linecap="round" /></svg>`;
}

const root = document.getElementById("app");
// What was painted while this was loaded.
root.replaceChildren();
render(html`<${App} />`, root);
