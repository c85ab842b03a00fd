// The range of a page and the length of its buckets. A range is `7d` and such, up to now, or two local
// times. What goes up to now ends with the bucket that is not over yet, which is drawn as unfinished.
import { dateText, instantOf, localOf, localText, midnight, readLocal } from "./zone.js";

export const RANGES = { "1h": "Last hour", "6h": "Last 6 hours", "24h": "Last 24 hours", "7d": "Last 7 days", "14d": "Last 14 days", "30d": "Last 30 days", "90d": "Last 90 days", "365d": "Last 365 days" };
export const STEPS = { auto: "auto", "1m": "1 minute", "5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour", "3h": "3 hours", "6h": "6 hours", day: "day", week: "week", month: "month", quarter: "quarter", year: "year" };
const SECONDS = { m: 60, h: 3600, d: 86400 };

export function lengthOf(text) {
  const found = /^(\d{1,4})([mhd])$/.exec(text);
  return found ? Number(found[1]) * SECONDS[found[2]] : null;
}

function automatic(span) {
  const hours = span / 3600;
  if (hours <= 2) return "1m";
  if (hours <= 8) return "5m";
  if (hours <= 30) return "15m";
  if (hours <= 80) return "1h";
  if (hours <= 8 * 24) return "3h";
  if (hours <= 16 * 24) return "6h";
  if (hours <= 150 * 24) return "day";
  return hours <= 900 * 24 ? "week" : "month";
}

function floor(instant, step, zone) {
  const day = midnight(instant, zone);
  const length = lengthOf(step);
  if (length) {
    // The local time of day, rounded down.
    const { year, month, day: date, hour, minute, second } = localOf(instant, zone);
    const past = Math.floor((hour * 3600 + minute * 60 + second) / length) * length;
    const found = instantOf({ year, month, day: date, hour: Math.floor(past / 3600), minute: Math.floor(past / 60) % 60 }, zone);
    // An hour that occurs twice: the first of both is too early.
    return instant - found >= length ? instant - ((instant - found) % length) : found;
  }
  if (step === "day") return day;
  const { year, month } = localOf(instant, zone);
  if (step === "week") {
    const weekday = new Date(`${dateText(instant, zone)}T00:00Z`).getUTCDay();
    return midnight(day, zone, -((weekday + 6) % 7));
  }
  const first = step === "year" ? 1 : step === "quarter" ? month - ((month - 1) % 3) : month;
  return instantOf({ year, month: first, day: 1 }, zone);
}

/** Returns the end of the bucket that an instant is in. */
function ceiling(instant, step, zone) {
  const start = floor(instant, step, zone);
  const length = lengthOf(step);
  if (length) return start + length;
  const days = { day: 1, week: 7, month: 32, quarter: 93, year: 367 }[step];
  return floor(midnight(start, zone, days), step, zone);
}

/**
 * Reads range and step of a state: {start, end, step, startDate, endDate, text, problem}. `startDate` and
 * `endDate` are what the API takes, in the zone.
 */
export function readRange(state, zone, fallback = "7d", now = Date.now() / 1000) {
  const [from, to] = [readLocal(state.get("from"), zone), readLocal(state.get("to"), zone)];
  const asked = state.get("step") || "auto";
  if (from !== null && to !== null) {
    const step = asked === "auto" ? automatic(to - from) : asked;
    const problem = to <= from ? "The end must be after the start" : null;
    return { start: from, end: to, step, startDate: state.get("from"), endDate: state.get("to"), text: null, problem };
  }
  const text = lengthOf(state.get("range") || "") ? state.get("range") : fallback;
  const length = lengthOf(text);
  const step = asked === "auto" ? automatic(length) : asked;
  const end = ceiling(now, step, zone);
  const start = length % 86400 === 0 && length > 86400 ? midnight(now, zone, 1 - length / 86400) : floor(end - length, step, zone);
  return { start, end, step, startDate: localText(start, zone), endDate: localText(end, zone), text, problem: null };
}

/** The state of a range that was chosen in a chart. */
export const chosenRange = (start, end, zone) => ({ range: null, from: localText(start, zone), to: localText(end, zone) });
