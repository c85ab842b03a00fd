import{useEffect,useState}from"./preact-hooks-e81b3a5fe4.js";import{curlOf}from"./api-52f050eeeb.js";import{copyText,saveFile,tell}from"./copying-cf22b12ba0.js";import{html}from"./html-efe1f2ccc5.js";async function copyCurl(e){tell(await copyText(curlOf(e))?"Copied. The key comes from a variable.":"The browser does not allow to copy")}async function saveCsv(e,t){try{saveFile(`${e.toLowerCase().replace(/[^a-z0-9]+/g,"-").replace(/^-|-$/g,"")}.csv`,await t())}catch(e){tell(e.message)}}export function Panel({title:e,note:t,answer:n,asked:s=n?.asked,csv:o,isEmpty:i,empty:a="Nothing was recorded in this range.",extra:r,children:c,...l}){const{data:d,error:u,loading:h}=n??{},m=useSlow(h);return html`<section class="panel ${l.class??""} ${m&&d?"stale":""}" aria-label=${e} aria-busy=${Boolean(h)}>
    <header>
      <h2>${e}</h2>
      ${t&&html`<span class="note">${t}</span>`}
      <div class="actions">
        ${r}
        ${s&&html`<button class="plain" onClick=${()=>copyCurl(s)} aria-label="Copy ${e} as curl">curl</button>`}
        ${o&&html`<button class="plain" onClick=${()=>saveCsv(e,o)} aria-label="Save ${e} as CSV">CSV</button>`}
      </div>
    </header>
    ${u&&html`<${Failure} error=${u} again=${n.again} />`}
    ${body(n,d,i,a,c)}
  </section>`}function body(e,t,n,s,o){return e?t===null?e.error?null:html`<p class="message">Loading …</p>`:n?.(t)?html`<p class="message">${s}</p>`:typeof o=="function"?o(t):o:o}function useSlow(e){const[n,t]=useState(!1);return useEffect(()=>{if(t(!1),!e)return 0[0];const n=setTimeout(()=>t(!0),400);return()=>clearTimeout(n)},[e]),n}export function Failure({error:e,again:t}){return html`<p class="error" role="alert">${e.message}${t&&html` <button onClick=${t}>Try again</button>`}</p>`}export function Field({label:e,children:t,...n}){return html`<label class="field ${n.class??""}"><span>${e}</span>${t}</label>`}export function Choice({label:e,value:t,options:n,onChange:s,...o}){const i=Array.isArray(n)?n.map(e=>[e,e]):Object.entries(n);return html`<${Field} label=${e}><select value=${t} onChange=${e=>s(e.target.value)} ...${o}>
    ${i.map(([e,n])=>html`<option key=${e} value=${e} selected=${e===t}>${n}</option>`)}
  </select></${Field}>`}export function Segments({label:e,value:t,options:n,onChange:s}){return html`<div class="seg" role="group" aria-label=${e}>
    ${Object.entries(n).map(([e,n])=>html`<button key=${e} type="button" aria-pressed=${e===t} onClick=${()=>s(e)}>${n}</button>`)}
  </div>`}export function Table({caption:e,columns:t,rows:n,tall:s}){return html`<div class="scroll ${s?"tall":""}" tabindex="0" role="group" aria-label=${e}><table>
    <caption class="hidden">${e}</caption>
    <thead><tr>${t.map(e=>html`<th scope="col" class=${e.n?"n":""}>${e.quiet?html`<span class="hidden">${e.quiet}</span>`:e.title??e}</th>`)}</tr></thead>
    <tbody>${n}</tbody>
  </table></div>`}