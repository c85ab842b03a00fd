// Signing in: a key or the admin token, checked by asking whose it is.
import { useState } from "preact/hooks";
import { askCaller } from "./api.js";
import { kindOf, readCredentials, saveCredentials } from "./credentials.js";
import { html } from "./html.js";
import { Field } from "./panel.js";

/** Returns the credentials with one more; raises ApiError if the server does not know it. */
export async function signIn(secret) {
  const caller = await askCaller(secret);
  const credentials = { ...readCredentials(), [kindOf(caller)]: { secret, caller } };
  saveCredentials(credentials);
  return credentials;
}

const NEEDED = {
  organization: "This page needs a key of an organization, with the role owner or admin.",
  live: "This page needs the admin token, or a key with the role operator.",
};

export function SignIn({ needed, refused, onSignedIn }) {
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState(refused ? "The credential is no longer valid." : "");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      onSignedIn(await signIn(secret.trim()));
    } catch (error) {
      setProblem(error.status === 401 ? "The server does not know this key or token." : error.message);
      setBusy(false);
    }
  };
  return html`<section class="panel sign-in" aria-labelledby="sign-in">
    <h1 id="sign-in">Sign in</h1>
    <p>${needed ? NEEDED[needed] : "With a key of your organization, or with the admin token for live metrics."}</p>
    <form onSubmit=${submit}>
      <${Field} label="Key or admin token"><input type="password" name="credential" autocomplete="off" spellcheck=${false} required
        value=${secret} onInput=${(event) => setSecret(event.target.value)} aria-describedby="sign-in-problem" /></${Field}>
      <p id="sign-in-problem" class=${problem ? "error" : "hidden"} role="alert">${problem}</p>
      <div><button class="main" disabled=${busy || !secret.trim()}>${busy ? "Checking …" : "Sign in"}</button></div>
    </form>
    <p class="label">It stays in this tab until you close it or sign out. <code>vumeter keys create</code> makes keys.</p>
  </section>`;
}
