// Figures and moments as people read them, in the language of their browser.

const whole = new Intl.NumberFormat();
const twoPlaces = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const second = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export const count = (number) => whole.format(number);
export const short = (number) => (Math.abs(number) < 10_000 ? whole.format(number) : compact.format(number));
export const credits = (number) => (number === null || number === undefined ? "no limit" : twoPlaces.format(number));
export const times = (number) => (number === null || number === undefined ? "–" : `${number}×`);
export const percent = (ratio) => `${Math.round(ratio * 100)} %`;
export const milliseconds = (ms) =>
  ms === null || ms === undefined ? "–" : ms < 10_000 ? `${whole.format(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;

export const dayOf = (iso) => (iso ? day.format(new Date(iso)) : "–");
export const minuteOf = (iso) => (iso ? minute.format(new Date(iso)) : "–");
export const secondOf = (iso) => (iso ? second.format(new Date(iso)) : "–");

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A moment close to now: of today without its day. */
export function timeOf(iso) {
  const at = new Date(iso);
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : second.format(at);
}

/** A day as an API date, `YYYY-MM-DD`, of the browser's own calendar. */
export function isoDay(date) {
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function daysFrom(date, days) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
}

const STATES = {
  normal: ["within the limit", "good"],
  approaching: ["near the limit", "warn"],
  "base-only": ["base models only", "bad"],
  "hard-stop": ["nothing left", "bad"],
};

/** A state of the limits as words and a kind of badge. */
export function stateOf(state) {
  return STATES[state] ?? [String(state).replaceAll("-", " "), "bad"];
}
