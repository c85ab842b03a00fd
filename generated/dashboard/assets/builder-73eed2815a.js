import{useState}from"./preact-hooks-e81b3a5fe4.js";import{html}from"./html-efe1f2ccc5.js";import{Choice,Field,Panel}from"./panel-3431cdbb52.js";import{COMPARED,FUNCTIONS,OPERATORS,SYSTEM_LABELS,TOPS,defaultFunction,metricText,writeFilters}from"./query-e816b453b4.js";import{RangeFields,StepField}from"./rangefields-f5ead2d9ac.js";export function Builder({query:e,range:t,state:n,names:s,tags:o,set:i}){const r=[...Object.keys(o),...SYSTEM_LABELS],a=e.metrics.map(({fn:e,name:t})=>metricText(e,t)),c=(e,t)=>i({m:a.map((n,s)=>s===e?t:n)});return html`<${Panel} title="Query" class="builder">
    <div class="rows">
      ${e.metrics.map(({fn:e,name:t},n)=>html`<div class="metric" key=${n}>
        <${Choice} label=${n?"":"Metric"} aria-label="Metric ${n+1}" value=${t} options=${withOne(s.map(e=>e.name),t)}
          onChange=${e=>c(n,metricText(defaultFunction(s.find(t=>t.name===e)),e))} />
        <${Choice} label=${n?"":"Function"} aria-label="Function ${n+1}" value=${e} options=${FUNCTIONS} onChange=${e=>c(n,metricText(e,t))} />
        <button class="plain" aria-label="Remove ${t} ${e}" disabled=${a.length===1} onClick=${()=>i({m:a.filter((e,t)=>t!==n)})}>✕</button>
      </div>`)}
      <div><button class="plain add" disabled=${a.length>=20||!s.length} onClick=${()=>i({m:[...a,nextMetric(s,e.metrics)]})}>+ Metric</button></div>
      <${Filters} filters=${e.filters} labels=${r} tags=${o} set=${i} />
    </div>
    <div class="rows">
      <div class="row">
        <${Groups} group=${e.group} labels=${r} set=${i} />
      </div>
      ${e.group.length>0&&html`<div class="row">
        <${Choice} label="Groups" value=${String(e.top)} options=${TOPS} onChange=${e=>i({top:e})} />
        <${Field} label="All others together" class="check"><input type="checkbox" checked=${e.rest} onChange=${e=>i({rest:e.target.checked?null:"no"})} /></${Field}>
      </div>`}
      <div class="row">
        <${Choice} label="Compare with" value=${e.compare} options=${COMPARED} onChange=${e=>i({compare:e})} />
      </div>
    </div>
    <div class="rows">
      <div class="row"><${RangeFields} range=${t} state=${n} set=${i} /></div>
      <div class="row"><${StepField} range=${t} state=${n} set=${i} /></div>
    </div>
  </${Panel}>`}const withOne=(e,t)=>e.includes(t)?e:[t,...e];function nextMetric(e,t){const n=e.find(e=>!t.some(({name:t})=>t===e.name))??e[0];return metricText(defaultFunction(n),n.name)}function Groups({group:e,labels:t,set:n}){const s=t.filter(t=>!e.includes(t));return html`
    <${Field} label="Group by"><select value="" disabled=${e.length>=5} onChange=${t=>n({group:[...e,t.target.value]})}>
      <option value="">${e.length?"and by …":"nothing"}</option>${s.map(e=>html`<option key=${e}>${e}</option>`)}
    </select></${Field}>
    ${e.length>0&&html`<ul class="chips">${e.map(t=>html`<li key=${t} class="chip">${t}<button aria-label="Do not group by ${t}" onClick=${()=>n({group:e.filter(e=>e!==t)})}>✕</button></li>`)}</ul>`}`}function Filters({filters:e,labels:t,tags:n,set:s}){const[o,i]=useState(null),a=e=>s({f:writeFilters(e)}),r=t=>{t.preventDefault(),a([...e,o]),i(null)};return html`
    <span class="label">Filters</span>
    ${e.length>0&&html`<ul class="chips">${e.map((t,n)=>html`<li key=${n} class="chip mono">${t.label} ${OPERATORS[t.op]} ${t.value||'""'}
      <button aria-label="Remove the filter ${t.label} ${OPERATORS[t.op]} ${t.value}" onClick=${()=>a(e.filter((e,t)=>t!==n))}>✕</button></li>`)}</ul>`}
    ${o?html`<form class="row" onSubmit=${r}>
          <${Choice} label="Label" value=${o.label} options=${t} onChange=${e=>i({...o,label:e,value:""})} />
          <${Choice} label="Is" value=${o.op} options=${OPERATORS} onChange=${e=>i({...o,op:e})} />
          <${Field} label="Value"><input list="values" size="14" value=${o.value} autocomplete="off" spellcheck=${!1} ref=${focusOnce} onInput=${e=>i({...o,value:e.target.value})} /></${Field}>
          <datalist id="values">${(n[o.label]??[]).map(e=>html`<option key=${e} value=${e} />`)}</datalist>
          <button class="main">Filter</button><button type="button" class="plain" onClick=${()=>i(null)}>Cancel</button>
        </form>`:html`<div><button class="plain add" disabled=${e.length>=20} onClick=${()=>i({op:"is",label:t[0],value:""})}>+ Filter</button></div>`}`}function focusOnce(e){e&&!e.dataset.seen&&(e.dataset.seen="1",e.focus())}