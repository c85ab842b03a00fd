// A chart over time: uPlot for scales, axes and the cursor; `drawing.js` for what is in it; a legend with
// the values under the cursor, which the arrow keys move too.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { colour } from "./colours.js";
import { FEW, drawSeries, drawUnfinished, extent } from "./drawing.js";
import { html } from "./html.js";
import { numberText, shortText } from "./numbers.js";
import { dayText, localOf, marks, midnight, spanText, timeText } from "./zone.js";

const FONT = "11px system-ui, sans-serif";
// Distances of the marks of an axis of counts.
const WHOLE = Array.from({ length: 13 }, (_, n) => [1, 2, 5].map((each) => each * 10 ** n)).flat();

function markTexts(instants, zone) {
  const onlyFirsts = instants.length > 1 && instants.every((each) => localOf(each, zone).day === 1 && midnight(each, zone) === each);
  return instants.map((each) => {
    if (midnight(each, zone) !== each) return timeText(each, zone);
    const text = dayText(each, zone).split(" ");
    return onlyFirsts ? text.slice(2).join(" ") : text.slice(0, 3).join(" ");
  });
}

/** Leaves out texts that would not fit at the ends of the axis. */
function inside(u, splits, texts) {
  const left = u.bbox.left / devicePixelRatio;
  return texts.map((text, n) => {
    const [middle, half] = [left + u.valToPos(splits[n], "x"), text.length * 3.1];
    return middle < half || middle + half > u.width ? "" : text;
  });
}

function optionsOf(plot, size, events) {
  const axis = { stroke: () => colour("muted"), font: FONT, grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false } };
  return {
    ...size,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: Boolean(plot().onZoom), y: false, setScale: false } },
    scales: { x: { time: false, range: () => [plot().start, plot().end] }, y: { range: () => extent(plot()) } },
    series: [{}, { paths: () => null, points: { show: false } }],
    axes: [
      { ...axis, splits: (u) => plot().marks?.(u) ?? marks(plot().start, plot().end, plot().zone, Math.max(2, Math.floor(u.width / 85))), values: (u, splits) => inside(u, splits, plot().markTexts?.(splits) ?? markTexts(splits, plot().zone)), size: 20, gap: 4 },
      { ...axis, incrs: plot().whole ? WHOLE : undefined, values: (u, splits) => splits.map(shortText), space: 32, size: (u, texts) => 14 + 6.6 * Math.max(2, ...(texts ?? []).map((each) => each.length)), gap: 6 },
    ],
    hooks: {
      drawClear: [(u) => drawUnfinished(u, plot())],
      draw: [(u) => drawSeries(u, plot())],
      setCursor: [(u) => events.point(u.cursor.left >= 0 ? u.cursor.idx : null)],
      setSelect: [(u) => u.select.width > 8 && events.zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"))],
    },
  };
}

/**
 * `plot`: {buckets [{start, end}], series [{name, label, colour, dashed, values, counts}], mode `line`,
 * `bar` or `stack`, zone, start, end, now, unit, fromZero, whole, pale, hint, onZoom, onPick(series)}; for an
 * x axis that is not time, `marks(u)` and `markTexts(marks)`, and buckets with a `label`.
 */
export function Chart({ label, plot }) {
  const place = useRef(null);
  const chart = useRef(null);
  const [index, setIndex] = useState(null);
  const [highlight, setHighlight] = useState(null);
  const latest = useRef(plot);
  latest.current = { ...plot, highlight };
  const middles = plot.buckets.map(({ start, end }) => (start + end) / 2);

  useEffect(() => {
    const events = {
      point: (found) => setIndex(found ?? null),
      zoom(from, to) {
        const { buckets, onZoom } = latest.current;
        const chosen = buckets.filter(({ start, end }) => end > from && start < to);
        chart.current.setSelect({ width: 0, height: 0, left: 0, top: 0 }, false);
        if (chosen.length) onZoom(chosen[0].start, chosen.at(-1).end);
      },
    };
    // The reference is gone before this is cleaned up.
    const element = place.current;
    const size = () => ({ width: Math.max(element.clientWidth, 120), height: Math.max(element.clientHeight, 80) });
    chart.current = new uPlot(optionsOf(() => latest.current, size(), events), [middles, middles.map(() => null)], element);
    const observer = new ResizeObserver(() => chart.current.setSize(size()));
    observer.observe(element);
    const redraw = () => chart.current.redraw(false, true);
    addEventListener("vumeter-theme", redraw);
    return () => {
      observer.disconnect();
      removeEventListener("vumeter-theme", redraw);
      chart.current.destroy();
    };
  }, []);
  useEffect(() => chart.current.setData([middles, middles.map(() => null)]), [plot]);
  useEffect(() => chart.current.redraw(false), [highlight]);

  const move = (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") chart.current.setCursor({ left: -10, top: -10 });
    if (!steps || !middles.length) return;
    event.preventDefault();
    const next = Math.min(Math.max((index ?? (steps < 0 ? middles.length : -1)) + steps, 0), middles.length - 1);
    chart.current.setCursor({ left: chart.current.valToPos(middles[next], "x"), top: 10 });
  };
  const at = index !== null && index < plot.buckets.length ? index : null;
  return html`<figure class="rows" data-buckets=${plot.buckets.length}>
    <div class="chart" ref=${place} tabindex="0" role="group" aria-roledescription="chart"
      aria-label="${label}. Left and right arrow keys read it." onKeyDown=${move}></div>
    <${Legend} plot=${plot} at=${at} onHighlight=${setHighlight} />
  </figure>`;
}

function valueText(series, at, { unit, pale }) {
  const text = numberText(series.values[at], unit);
  const count = series.counts?.[at];
  return pale && count !== undefined && series.values[at] !== null ? html`<span class="value ${count < FEW ? "pale" : ""}">${text} <span class="count">n=${count}</span></span>` : html`<span class="value">${text}</span>`;
}

function Legend({ plot, at, onHighlight }) {
  const bucket = at === null ? null : plot.buckets[at];
  const span = bucket ? bucket.label ?? spanText(bucket.start, bucket.end, plot.zone) : "";
  const name = (each) => (plot.onPick && each.pick
    ? html`<button type="button" title="Only ${each.label}" onClick=${() => plot.onPick(each)}>${each.label}</button>`
    : html`<span>${each.label}</span>`);
  const single = plot.series.length === 1 && !plot.series[0].pick;
  return html`<div>
    <p class="readout" aria-live="polite">${bucket ? `${span}${bucket.end > plot.now ? " · so far" : ""}` : plot.hint ?? ""}${bucket && single && html` · ${valueText(plot.series[0], at, plot)}`}</p>
    ${!single && html`<ul class="legend">${plot.series.map((each) => html`<li key=${each.name} onMouseEnter=${() => onHighlight(each.name)} onMouseLeave=${() => onHighlight(null)} onFocusIn=${() => onHighlight(each.name)} onFocusOut=${() => onHighlight(null)}>
      <${Swatch} series=${each} />${name(each)}${at !== null && valueText(each, at, plot)}
    </li>`)}</ul>`}
  </div>`;
}

function Swatch({ series }) {
  return html`<svg viewBox="0 0 12 12" aria-hidden="true"><line x1="0" x2="12" y1="6" y2="6" stroke="var(--${series.colour})" stroke-width="4" stroke-dasharray=${series.dashed ? "4 2" : ""} /></svg>`;
}
