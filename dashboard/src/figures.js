// Small drawings inside tables.
import { html } from "./html.js";

/** A bar for a share from 0 to 1. */
export function Bar({ share, colour = "series-1" }) {
  return html`<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="8" fill="var(--sunken)" /><rect width=${100 * Math.min(Math.max(share, 0), 1)} height="8" fill="var(--${colour})" /></svg>`;
}
