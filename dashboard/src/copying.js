// What leaves the page: text to the clipboard, and tables as CSV (RFC 4180).
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS on another host browsers have no clipboard: the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

const cell = (value) => {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export const csvOf = (columns, rows) => [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");

export function saveFile(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

let hide = 0;
/** Says shortly what was done, for readers of screens too. */
export function tell(text) {
  const toast = document.getElementById("toast") ?? document.body.appendChild(Object.assign(document.createElement("div"), { id: "toast" }));
  toast.className = "toast";
  toast.setAttribute("role", "status");
  toast.textContent = text;
  clearTimeout(hide);
  hide = setTimeout(() => toast.remove(), 2500);
}
