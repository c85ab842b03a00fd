// What charts draw themselves, on uPlot's canvas and scales: bars as wide as their buckets, lines with
// gaps, what is uncertain and what is not over yet.
import { colour } from "./colours.js";

/** Percentiles of fewer values say little: they are pale. */
export const FEW = 20;
const PALE = 0.35;

export function drawUnfinished(u, { buckets, now }) {
  const last = buckets.at(-1);
  if (!last || last.end <= now) return;
  const { ctx, bbox } = u;
  const [left, right] = [Math.max(u.valToPos(last.start, "x", true), bbox.left), Math.min(u.valToPos(last.end, "x", true), bbox.left + bbox.width)];
  ctx.fillStyle = colour("unfinished");
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
}

export function drawSeries(u, plot) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top - devicePixelRatio, bbox.width, bbox.height + 2 * devicePixelRatio);
  ctx.clip();
  const base = plot.buckets.map(() => 0);
  for (const each of plot.series) {
    const shown = !plot.highlight || plot.highlight === each.name;
    if (plot.mode === "line" || each.line) drawLine(u, plot, each, shown ? 1 : 0.15);
    else drawBars(u, plot, each, base, shown ? 1 : 0.2);
  }
  ctx.restore();
}

function drawBars(u, { buckets, now, mode, pale }, series, base, alpha) {
  const { ctx } = u;
  ctx.fillStyle = colour(series.colour);
  buckets.forEach(({ start, end }, index) => {
    const value = series.values[index];
    if (value === null || value === undefined) return;
    const from = mode === "stack" ? base[index] : 0;
    const [left, right] = [u.valToPos(start, "x", true), u.valToPos(end, "x", true)];
    const [bottom, top] = [u.valToPos(from, "y", true), u.valToPos(from + value, "y", true)];
    const gap = right - left > 4 * devicePixelRatio ? devicePixelRatio : 0;
    const few = pale && (series.counts?.[index] ?? FEW) < FEW;
    ctx.globalAlpha = alpha * (end > now ? 0.55 : 1) * (few ? PALE : 1);
    ctx.fillRect(left + gap / 2, Math.min(top, bottom), Math.max(right - left - gap, 1), Math.max(Math.abs(bottom - top), value ? 1 : 0));
    base[index] += value;
  });
  ctx.globalAlpha = 1;
}

function drawLine(u, { buckets, now, pale }, series, alpha) {
  const { ctx } = u;
  const stroke = colour(series.colour);
  const has = (index) => series.values[index] !== null && series.values[index] !== undefined;
  const few = (index) => pale && (series.counts?.[index] ?? FEW) < FEW;
  const x = ({ start, end }) => u.valToPos((start + end) / 2, "x", true);
  const y = (index) => u.valToPos(series.values[index], "y", true);
  Object.assign(ctx, { strokeStyle: stroke, fillStyle: stroke, lineWidth: (series.colour === "series-rest" ? 1.25 : 2) * devicePixelRatio, lineJoin: "round" });
  const dash = (pattern) => ctx.setLineDash(pattern.map((each) => each * devicePixelRatio));
  for (let index = 1; index < buckets.length; index += 1) {
    if (!has(index) || !has(index - 1)) continue;
    dash(buckets[index].end > now ? [2, 3] : series.dashed ? [7, 3] : []);
    ctx.globalAlpha = alpha * (few(index) || few(index - 1) ? PALE : 1);
    ctx.beginPath();
    ctx.moveTo(x(buckets[index - 1]), y(index - 1));
    ctx.lineTo(x(buckets[index]), y(index));
    ctx.stroke();
  }
  dash([]);
  buckets.forEach((bucket, index) => {
    const alone = has(index) && !has(index - 1) && !has(index + 1);
    if (!has(index) || !(alone || buckets.length <= 40 || few(index))) return;
    if (buckets.length > 120 && !alone) return;
    ctx.globalAlpha = alpha;
    ctx.beginPath();
    ctx.arc(x(bucket), y(index), 2.5 * devicePixelRatio, 0, 2 * Math.PI);
    // Hollow where there is little behind it.
    if (few(index) || bucket.end > now) {
      ctx.fillStyle = colour("panel");
      ctx.fill();
      ctx.lineWidth = devicePixelRatio;
      ctx.globalAlpha = alpha * 0.7;
      ctx.stroke();
      ctx.fillStyle = stroke;
    } else ctx.fill();
  });
  ctx.globalAlpha = 1;
}

/** Returns the lowest and the highest value that the y axis has to hold. */
export function extent({ buckets, series, mode, fromZero }) {
  let [low, high] = [Infinity, -Infinity];
  const stacked = buckets.map(() => 0);
  for (const { values, line } of series) {
    values.forEach((value, index) => {
      if (value === null || value === undefined) return;
      const shown = mode === "stack" && !line ? (stacked[index] += value) : value;
      low = Math.min(low, shown);
      high = Math.max(high, shown);
    });
  }
  if (low > high) return [0, 1];
  if (fromZero || mode !== "line" || (low >= 0 && low < high * 0.6)) low = Math.min(low, 0);
  if (high <= 0 && low < 0) high = 0;
  if (low === high) high = low + (low === 0 ? 1 : Math.abs(low) * 0.2);
  const room = (high - low) * 0.06;
  return [low === 0 ? 0 : low - room, high === 0 ? 0 : high + room];
}
