// Numbers as people read them: grouped digits, few of them after the point, a dash where there is none.
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export const NOTHING = "–";
const is = (value) => value !== null && value !== undefined && Number.isFinite(value);

export function numberText(value, unit = "") {
  if (!is(value)) return NOTHING;
  const text = Math.abs(value) < 1 && value !== 0 ? fine.format(value) : plain.format(value);
  return unit ? `${text} ${unit}` : text;
}

/** For axes and narrow places. */
export const shortText = (value) => (!is(value) ? NOTHING : Math.abs(value) < 10000 ? numberText(value) : short.format(value));
export const shareText = (value) => (!is(value) ? NOTHING : value > 0 && value < 0.0005 ? "<0.1%" : share.format(value));

const SIZES = ["B", "kB", "MB", "GB", "TB"];
/** A number of bytes, in thousands. */
export function sizeText(bytes) {
  if (!is(bytes)) return NOTHING;
  const at = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), SIZES.length - 1);
  return `${new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }).format(bytes / 1000 ** at)} ${SIZES[at]}`;
}

/** The change from one value to another, as a share of the first. */
export function changeText(before, after) {
  if (!is(before) || !is(after) || before === 0) return NOTHING;
  const change = (after - before) / Math.abs(before);
  return `${change > 0 ? "+" : ""}${share.format(change)}`;
}

/** The unit of a metric: what an exporter told, or what its name ends with. */
export function unitOf(metric) {
  if (metric?.unit) return metric.unit.replace(/[{}]/g, "");
  const ending = /_(ms|seconds|s|cents|tokens|minutes|bytes|percent)$/.exec(metric?.name ?? "");
  return ending ? { seconds: "s", percent: "%", minutes: "min" }[ending[1]] ?? ending[1] : "";
}
