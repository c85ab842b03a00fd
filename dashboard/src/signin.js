// Signing in: with a key or the admin token, checked by asking whose it is, or by a link.
import { useEffect, useState } from "preact/hooks";
import { askCaller, redeemCode } from "./api.js";
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

/** Returns the credentials with those that a link is for; raises ApiError if it is not good (any more). */
async function signInByCode(code) {
  let credentials = readCredentials();
  for (const key of await redeemCode(code)) credentials = await signIn(key);
  return credentials;
}

const NEEDED = {
  organization: "This page needs a key of an organization, with the role owner or admin.",
  live: "This page needs the admin token, or a key with the role operator.",
};

/** The page of a sign-in link. `onTaken` has to take the code out of the address. */
export function SignInByLink({ code, onTaken, onSignedIn }) {
  const [problem, setProblem] = useState("");
  const [tried, setTried] = useState(0);
  const [busy, setBusy] = useState(Boolean(code));
  useEffect(() => {
    if (!code) return;
    onTaken();
    setBusy(true);
    signInByCode(code).then(onSignedIn, (error) => {
      setProblem(error.status === 401
        ? "This link was used before or has expired: it is good once, for five minutes. The command vumeter dashboard prints another one."
        : `${error.message}. Open the link again, or sign in below.`);
      setTried((each) => each + 1);
      setBusy(false);
    });
  }, [code]);
  if (busy) return html`<section class="panel sign-in" aria-labelledby="signing-in"><h1 id="signing-in" role="status">Signing in …</h1></section>`;
  return html`<${SignIn} key=${tried} told=${problem} onSignedIn=${onSignedIn} />`;
}

export function SignIn({ needed, told = "", onSignedIn }) {
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState(told);
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
