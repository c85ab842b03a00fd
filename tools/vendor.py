"""Renew `dashboard/vendor/`: the modules that the dashboard is built on, as npm has them.

Only who wants another version needs this, and npm: change `dashboard/vendor/package.json`, run
`npm install --package-lock-only` there, then this. `npm ci` checks each package against the hash in
`package-lock.json`. What is copied is committed, and nothing else needs npm or node.

Usage:
    python tools/vendor.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "dashboard" / "vendor"
LOCK = ("package.json", "package-lock.json")

# Where each file comes from, by its name here.
COPIED = {
    "preact.js": "preact/dist/preact.mjs",
    "preact-hooks.js": "preact/hooks/dist/hooks.mjs",
    "htm.js": "htm/dist/htm.mjs",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "LICENSE-preact.txt": "preact/LICENSE",
    "LICENSE-htm.txt": "htm/LICENSE",
    "LICENSE-uplot.txt": "uplot/LICENSE",
}
# uPlot's own module is not minified, three times as large.
APPENDED = {"uplot.js": "\nexport default uPlot;\n"}


def main() -> int:
    """Copy every file again; return the exit status."""
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        for name in LOCK:
            shutil.copy(VENDOR / name, fresh)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=fresh, check=True)
        for name, source in COPIED.items():
            text = (fresh / "node_modules" / source).read_text(encoding="utf-8")
            (VENDOR / name).write_text(text + APPENDED.get(name, ""), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
