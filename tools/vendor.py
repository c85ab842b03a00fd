"""Renew what pages are built on, as npm has it: `dashboard/vendor/` and `openapi/page/vendor/`.

Only who wants another version needs this, and npm: change the `package.json` of a folder, run
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
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ("package.json", "package-lock.json")

# Where each file comes from, by its folder and its name there.
COPIED: Mapping[str, Mapping[str, str]] = {
    "dashboard/vendor": {
        "preact.js": "preact/dist/preact.mjs",
        "preact-hooks.js": "preact/hooks/dist/hooks.mjs",
        "htm.js": "htm/dist/htm.mjs",
        "uplot.js": "uplot/dist/uPlot.iife.min.js",
        "uplot.css": "uplot/dist/uPlot.min.css",
        "LICENSE-preact.txt": "preact/LICENSE",
        "LICENSE-htm.txt": "htm/LICENSE",
        "LICENSE-uplot.txt": "uplot/LICENSE",
    },
    "openapi/page/vendor": {
        "swagger-ui.js": "swagger-ui-dist/swagger-ui-bundle.js",
        "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
        "LICENSE-swagger-ui.txt": "swagger-ui-dist/LICENSE",
        "LICENSE-swagger-ui-parts.txt": "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt",
    },
}
# uPlot's own module is not minified, three times as large.
APPENDED = {"uplot.js": "\nexport default uPlot;\n"}


def main() -> int:
    """Copy every file again; return the exit status."""
    for folder, files in COPIED.items():
        with tempfile.TemporaryDirectory() as temporary:
            fresh, vendor = Path(temporary), ROOT / folder
            for name in LOCK:
                shutil.copy(vendor / name, fresh)
            npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(npm, cwd=fresh, check=True)
            for name, source in files.items():
                text = (fresh / "node_modules" / source).read_text(encoding="utf-8")
                (vendor / name).write_text(text + APPENDED.get(name, ""), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
