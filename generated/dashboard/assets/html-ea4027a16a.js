import htm from "./htm-ab33dd3f38.js";
import { h } from "./preact-bdcbd9abdf.js";

export const html = htm.bind(h);
