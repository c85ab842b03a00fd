import{useState}from"./preact-hooks-e81b3a5fe4.js";import{askCaller}from"./api-52f050eeeb.js";import{kindOf,readCredentials,saveCredentials}from"./credentials-2053aba6e1.js";import{html}from"./html-efe1f2ccc5.js";import{Field}from"./panel-3431cdbb52.js";export async function signIn(e){const t=await askCaller(e),n={...readCredentials(),[kindOf(t)]:{secret:e,caller:t}};return saveCredentials(n),n}const NEEDED={organization:"This page needs a key of an organization, with the role owner or admin.",live:"This page needs the admin token, or a key with the role operator."};export function SignIn({needed:e,refused:t,onSignedIn:n}){const[s,c]=useState(""),[o,i]=useState(t?"The credential is no longer valid.":""),[a,r]=useState(!1),l=async e=>{e.preventDefault(),r(!0),i("");try{n(await signIn(s.trim()))}catch(e){i(e.status===401?"The server does not know this key or token.":e.message),r(!1)}};return html`<section class="panel sign-in" aria-labelledby="sign-in">
    <h1 id="sign-in">Sign in</h1>
    <p>${e?NEEDED[e]:"With a key of your organization, or with the admin token for live metrics."}</p>
    <form onSubmit=${l}>
      <${Field} label="Key or admin token"><input type="password" name="credential" autocomplete="off" spellcheck=${!1} required
        value=${s} onInput=${e=>c(e.target.value)} aria-describedby="sign-in-problem" /></${Field}>
      <p id="sign-in-problem" class=${o?"error":"hidden"} role="alert">${o}</p>
      <div><button class="main" disabled=${a||!s.trim()}>${a?"Checking …":"Sign in"}</button></div>
    </form>
    <p class="label">It stays in this tab until you close it or sign out. <code>vumeter keys create</code> makes keys.</p>
  </section>`}