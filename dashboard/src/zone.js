// Time zones: local times of an instant and back, and how times are written. Instants are seconds since
// the epoch. A 24-hour clock everywhere.
const formats = new Map();
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function format(zone) {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    formats.set(zone, found);
  }
  return found;
}

export function isZone(zone) {
  try {
    return Boolean(zone) && Boolean(format(zone));
  } catch {
    return false;
  }
}

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const zones = () => ["UTC", ...Intl.supportedValuesOf("timeZone").filter((each) => each !== "UTC")];

/** Returns {year, month, day, hour, minute, second} of an instant, month from 1. */
export function localOf(instant, zone) {
  const parts = {};
  for (const { type, value } of format(zone).formatToParts(instant * 1000)) parts[type] = Number(value);
  return parts;
}

const asUtc = ({ year, month, day, hour = 0, minute = 0, second = 0 }) => Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
const offsetAt = (instant, zone) => asUtc(localOf(instant, zone)) - Math.floor(instant);

/** Returns the instant of a local time: the first one if it occurs twice, the end of the gap if it is skipped. */
export function instantOf(local, zone) {
  const wanted = asUtc(local);
  const [before, after] = [offsetAt(wanted - 86400, zone), offsetAt(wanted + 86400, zone)];
  const candidates = [wanted - before, wanted - after].filter((each) => each + offsetAt(each, zone) === wanted);
  if (candidates.length) return Math.min(...candidates);
  // Skipped: the clocks go forward at the first instant that has the later offset.
  let [low, high] = [wanted - after - 86400, wanted - before + 86400];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle, zone) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** Returns the local midnight so many days after that of an instant. */
export function midnight(instant, zone, days = 0) {
  const { year, month, day } = localOf(instant, zone);
  const utc = new Date(Date.UTC(year, month - 1, day + days));
  return instantOf({ year: utc.getUTCFullYear(), month: utc.getUTCMonth() + 1, day: utc.getUTCDate() }, zone);
}

const two = (number) => String(number).padStart(2, "0");

export function timeText(instant, zone, { seconds = false } = {}) {
  const at = localOf(instant, zone);
  return `${two(at.hour)}:${two(at.minute)}${seconds ? `:${two(at.second)}` : ""}`;
}

/** `2025-04-01`, as inputs and the API write it. */
export function dateText(instant, zone) {
  const at = localOf(instant, zone);
  return `${at.year}-${two(at.month)}-${two(at.day)}`;
}

export const localText = (instant, zone) => `${dateText(instant, zone)}T${timeText(instant, zone)}`;
export const stampText = (instant, zone, options) => `${dateText(instant, zone)} ${timeText(instant, zone, options)}`;

/** `Tue 1 Apr`, with the year if it is not the current one. */
export function dayText(instant, zone) {
  const at = localOf(instant, zone);
  const weekday = DAYS[new Date(Date.UTC(at.year, at.month - 1, at.day)).getUTCDay()];
  const year = at.year === localOf(Date.now() / 1000, zone).year ? "" : ` ${at.year}`;
  return `${weekday} ${at.day} ${MONTHS[at.month - 1]}${year}`;
}

/** Reads `2025-04-01` or `2025-04-01T09:30` as a local time; null if it is none. */
export function readLocal(text, zone) {
  const found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d))?$/.exec(text || "");
  if (!found) return null;
  const [year, month, day, hour, minute] = found.slice(1).map((each) => Number(each ?? 0));
  const is = new Date(Date.UTC(year, month - 1, day, hour, minute));
  if (is.getUTCDate() !== day || is.getUTCHours() !== hour) return null;
  return instantOf({ year, month, day, hour, minute }, zone);
}

/** Writes the time between two instants: of days only the dates, of parts of one day no second date. */
export function spanText(start, end, zone) {
  const whole = [start, end].every((each) => midnight(each, zone) === each);
  if (whole && end - start < 93600 && end - start > 79200) return dayText(start, zone);
  if (whole) return `${dayText(start, zone)} to ${dayText(end - 1, zone)}`;
  const seconds = start % 60 !== 0 || end % 60 !== 0;
  const sameDay = dateText(start, zone) === dateText(end - 1, zone);
  return `${dayText(start, zone)}, ${timeText(start, zone, { seconds })} to ${sameDay ? "" : `${dayText(end, zone)}, `}${timeText(end, zone, { seconds })}`;
}

const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];

/** Returns instants for the marks of an axis: round local times, at most `most` of them. */
export function marks(start, end, zone, most) {
  const span = end - start;
  const minutes = MINUTES.find((each) => span / (each * 60) <= most);
  const found = [];
  if (minutes) {
    const wall = minutes * 60;
    // From local midnight in local time, so that marks stay at round hours where clocks change.
    for (let day = midnight(start, zone); day < end; day = midnight(day, zone, 1)) {
      const { year, month, day: date } = localOf(day, zone);
      for (let at = 0; at < 86400; at += wall) {
        const instant = instantOf({ year, month, day: date, hour: Math.floor(at / 3600), minute: Math.floor(at / 60) % 60 }, zone);
        if (instant >= start && instant <= end && instant !== found.at(-1)) found.push(instant);
      }
    }
    return found;
  }
  const days = Math.ceil(span / 86400 / most);
  const [step, inMonths] = days <= 2 ? [days, false] : days <= 7 ? [7, false] : days <= 14 ? [14, false] : [Math.ceil(days / 31), true];
  if (!inMonths) {
    let day = midnight(start, zone, 0);
    if (step % 7 === 0) while (!dayText(day, zone).startsWith("Mon")) day = midnight(day, zone, 1);
    for (; day <= end; day = midnight(day, zone, step)) if (day >= start) found.push(day);
    return found;
  }
  let { year, month } = localOf(start, zone);
  for (;;) {
    const instant = instantOf({ year, month, day: 1 }, zone);
    if (instant > end) return found;
    if (instant >= start) found.push(instant);
    month += step;
    year += Math.floor((month - 1) / 12);
    month = ((month - 1) % 12) + 1;
  }
}
