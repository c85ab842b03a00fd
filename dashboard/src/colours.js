// Colours of canvases: those of the style sheet, as the theme has them now.
const found = new Map();
let probe = null;

/** Returns the colour that a token of tokens.css has now, such as `muted`. */
export function colour(name) {
  if (!found.has(name)) {
    probe ??= document.body.appendChild(Object.assign(document.createElement("span"), { hidden: true }));
    probe.style.color = `var(--${name})`;
    found.set(name, getComputedStyle(probe).color);
  }
  return found.get(name);
}

const forget = () => {
  found.clear();
  dispatchEvent(new Event("vumeter-theme"));
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget);

export function chooseTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  forget();
}

const OWN = 8;
/** The token of the n-th series: eight hues, then the same ones dashed, then one for all others. */
export const seriesColour = (n) => (n < 2 * OWN ? `series-${(n % OWN) + 1}` : "series-rest");
export const isDashed = (n) => n >= OWN && n < 2 * OWN;
