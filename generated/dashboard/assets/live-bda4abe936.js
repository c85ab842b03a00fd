import{request}from"./api-52f050eeeb.js";import{useAnswer}from"./asking-0f1d395645.js";import{Chart}from"./chart-654f7fe631.js";import{csvOf}from"./copying-cf22b12ba0.js";import{Bar}from"./figures-74653823d4.js";import{FirstEvent}from"./first-536c812ce1.js";import{html}from"./html-efe1f2ccc5.js";import{numberText,shareText}from"./numbers-8f9d01b85f.js";import{Choice,Failure,Field,Panel,Table}from"./panel-3431cdbb52.js";import{RANGES,lengthOf,readRange}from"./range-e679140216.js";import{useStream}from"./stream-da25fae618.js";import{stampText,timeText}from"./zone-fb127196c9.js";const SPANS=Object.fromEntries(Object.entries(RANGES).filter(([e])=>lengthOf(e)<=7*86400)),REJECTIONS={capacity:"Capacity",tenant_not_configured:"Tenant not configured",instructions_missing:"Instructions missing"},STATES={pending:"Pending",unstarted:"Accepted, not started",active:"Active"},STATUS={connecting:"Connecting …",live:"Live",lost:"Connection lost, trying again",paused:"Paused"};export function LivePage({title:e,caller:t,state:n,zone:s,set:o}){const i=t.tenantId??n.get("tenant")??"",a=readRange(n,s,"1h"),r=useStream(request("live","api/v1/metrics/watch",{tenant_id:i,max_updates_per_second:"2"})),m=lengthOf(a.step)?a.step:"1h",d=useAnswer(request("live","api/v1/metrics/history",{tenant_id:i,startDate:a.startDate,endDate:a.endDate,timezone:s,step:m}),{every:30,read:readHistory}),c=useAnswer(t.tenantId?null:request("live","api/v1/metrics/tenants",{limit:"1000"}),{every:5}),l=c.data?.data??[],u=i?l.filter(e=>e.tenant_id===i):l,h={zone:s,start:a.start,end:a.end,now:Date.now()/1e3,fromZero:!0,whole:!0},f=new Set(["",i,...l.map(e=>e.tenant_id)]);return html`
    <div class="head">
      <h1>${e}</h1>
      <span class="state ${r.status}" role="status">${STATUS[r.status]}</span>
      <div class="fields">
        ${t.tenantId?html`<span class="label">Tenant ${t.tenantId}</span>`:html`<${Choice} label="Tenant" value=${i} options=${Object.fromEntries([...f].map(e=>[e,e||"All tenants"]))} onChange=${e=>o({tenant:e})} />`}
        <${Choice} label="Range" value=${a.text??"1h"} options=${SPANS} onChange=${e=>o({range:e,from:null,to:null})} />
      </div>
    </div>
    ${r.error&&r.error.status!==401&&html`<${Failure} error=${r.error} />`}
    ${!t.tenantId&&c.data&&!l.length&&html`<${FirstEvent} />`}
    <div class="grid">
      <div class="wide"><${Counters} watch=${r} tenant=${i} peak=${peakOf(d.data)} limit=${limitOf(u,i)} /></div>
      <${ActiveCalls} history=${d} plot=${h} set=${o} />
      <${Rejections} history=${d} plot=${h} />
      ${!t.tenantId&&html`<${States} tenants=${c} shown=${u} />`}
      ${!t.tenantId&&html`<${Capacity} tenants=${c} shown=${u} zone=${s} set=${o} />`}
    </div>`}function readHistory({data:e}){const t=e.map(e=>({start:Date.parse(e.start)/1e3})),n=t.length>1?t[1].start-t[0].start:60;for(const e of t)e.end=e.start+n;return{data:e,buckets:t}}const peakOf=e=>e&&Math.max(0,...e.data.map(e=>e.peak_active_calls)),limitOf=(e,t)=>t?e[0]?.max_concurrent_calls??null:null,sum=e=>e.reduce((e,t)=>e+t,0);function Counters({watch:e,tenant:t,peak:n,limit:s}){const o=e.value,a=o&&sum(Object.keys(REJECTIONS).map(e=>o[`rejected_calls_${e}`])),r=(e,t)=>o&&t?` ${shareText(e/t)}`:"",i=e=>numberText(o?.[e]??null),c=[["Accepted",i("accepted_calls")],["Started",i("started_calls")],["Ended",i("ended_calls")],["Failed",i("failed_calls"),r(o?.failed_calls,o?.ended_calls)],["Rejected",numberText(a),r(a,a+(o?.accepted_calls??0))],["Referred",i("referred_calls")],["Minutes",numberText(o&&Math.round(o.minutes_processed))],["Fallback instructions",i("fallback_instructions_used"),r(o?.fallback_instructions_used,o?.accepted_calls)],["Instruction errors",i("instructions_db_errors")]],l=request("live",t?`api/v1/metrics/live/${encodeURIComponent(t)}`:"api/v1/metrics/live"),d=()=>csvOf(["counter","value"],Object.entries(o??{}));return html`<${Panel} title="Counters" note="Totals since the service started" asked=${l} csv=${d}>
    <div class="live-top ${e.status==="live"?"":"pale"}">
      <div class="figure hero">
        <${Meter} value=${o?.active_calls??0} most=${s??Math.max(n??0,1)} />
        <span class="label">Active calls</span>
        <div class="value" data-counter="active_calls">${i("active_calls")}${s?html`<small> of ${numberText(s)}</small>`:n?html`<small> peak ${numberText(n)}</small>`:""}</div>
      </div>
      <div class="figures">${c.map(([e,t,n])=>html`<div class="figure" key=${e}><span class="label">${e}</span><div class="value">${t}<small>${n??""}</small></div></div>`)}</div>
    </div>
  </${Panel}>`}function Meter({value:e,most:t}){const o=Math.min(e/t,1.05),i=-52+104*o,a=[0,.25,.5,.75,1],n=(e,t)=>{const n=(-52+104*e)*Math.PI/180;return[100+t*Math.sin(n),98-t*Math.cos(n)]},s=(e,t,s)=>`M${n(e,s).join(" ")}A${s} ${s} 0 0 1 ${n(t,s).join(" ")}`;return html`<svg class="meter" viewBox="14 2 172 98" aria-hidden="true">
    <path d=${s(0,.8,84)} fill="none" stroke="var(--edge)" stroke-width="2" />
    <path d=${s(.8,1.05,84)} fill="none" stroke="var(--series-2)" stroke-width="5" />
    ${a.map(e=>{const[[t,s],[o,i]]=[n(e,84),n(e,76)];return html`<line x1=${t} y1=${s} x2=${o} y2=${i} stroke="var(--edge)" stroke-width="2" />`})}
    <g class="needle" style=${{transform:`rotate(${i}deg)`,transformOrigin:"100px 98px"}}><line x1="100" y1="98" x2="100" y2="22" stroke="var(--text)" stroke-width="2.5" stroke-linecap="round" /></g>
    <circle cx="100" cy="98" r="6" fill="var(--text)" />
  </svg>`}function ActiveCalls({history:e,plot:t,set:n}){const s=()=>csvOf(["start","active_calls","peak_active_calls"],e.data.data.map(e=>[e.start,e.active_calls,e.peak_active_calls]));return html`<${Panel} title="Active calls" note="Peak of each bucket, and the number at its end" answer=${e} csv=${s}>
    ${({data:e,buckets:n})=>html`<${Chart} label="Active calls over time" plot=${{...t,buckets:n,mode:"line",series:[{name:"peak",label:"Peak",colour:"series-6",values:e.map(e=>e.peak_active_calls)},{name:"active",label:"At the end",colour:"series-1",values:e.map(e=>e.active_calls)}]}} />`}
  </${Panel}>`}function Rejections({history:e,plot:t}){const n=Object.keys(REJECTIONS),s=()=>csvOf(["start",...n],e.data.data.map(e=>[e.start,...n.map(t=>e[`rejected_calls_${t}`])]));return html`<${Panel} title="Rejections by reason" answer=${e} csv=${s}>
    ${({data:e,buckets:s})=>html`<${Chart} label="Rejected calls by reason over time" plot=${{...t,buckets:s,mode:"stack",series:n.map((t,n)=>({name:t,label:`${REJECTIONS[t]} (${numberText(sum(e.map(e=>e[`rejected_calls_${t}`])))})`,colour:["series-2","series-7","series-5"][n],values:e.map(e=>e[`rejected_calls_${t}`])}))}} />`}
  </${Panel}>`}function States({tenants:e,shown:t}){const n=Object.fromEntries(Object.keys(STATES).map(e=>[e,sum(t.map(t=>t[`${e}_calls`]))])),s=Math.max(1,...Object.values(n)),o=()=>csvOf(["state","calls"],Object.entries(n));return html`<${Panel} title="Calls by state" note="Now" answer=${e} csv=${o}>
    <${Table} caption="Calls by state" columns=${["State",{title:"Calls",n:!0},{quiet:"Share"}]} rows=${Object.entries(STATES).map(([e,t])=>html`<tr key=${e}>
      <th scope="row">${t}</th><td class="n">${numberText(n[e])}</td><td class="bar-cell"><${Bar} share=${n[e]/s} colour=${{pending:"series-5",unstarted:"series-6",active:"series-1"}[e]} /></td></tr>`)} />
  </${Panel}>`}function Capacity({tenants:e,shown:t,zone:n,set:s}){const i=Math.max(1,...t.map(e=>e.active_calls)),o=[...t].sort((e,t)=>t.active_calls-e.active_calls),a=()=>csvOf(["tenant_id","active_calls","max_concurrent_calls","last_event_at"],o.map(e=>[e.tenant_id,e.active_calls,e.max_concurrent_calls,e.last_event_at]));return html`<${Panel} title="Capacity by tenant" note="Active calls, and the limit where one is set" answer=${e} csv=${a} isEmpty=${()=>!t.length} empty="No tenant has sent an event yet.">
    <${Table} tall caption="Capacity by tenant" columns=${["Tenant",{title:"Active",n:!0},{title:"Limit",n:!0},{quiet:"Share"},{title:"Last event",n:!0}]} rows=${o.map(e=>{const t=e.max_concurrent_calls,o=t===null?e.active_calls/i:t===0?Number(e.active_calls>0):e.active_calls/t;return html`<tr key=${e.tenant_id}><th scope="row"><button class="plain swatch-text" onClick=${()=>s({tenant:e.tenant_id})}>${e.tenant_id}</button></th>
        <td class="n">${numberText(e.active_calls)}</td><td class="n">${numberText(t)}</td>
        <td class="bar-cell"><${Bar} share=${o} colour=${t!==null&&o>=.9?"series-2":"series-1"} /></td>
        <td class="n">${e.last_event_at?lastText(Date.parse(e.last_event_at)/1e3,n):"–"}</td></tr>`})} />
  </${Panel}>`}const lastText=(e,t)=>Date.now()/1e3-e<43200?timeText(e,t,{seconds:!0}):stampText(e,t)