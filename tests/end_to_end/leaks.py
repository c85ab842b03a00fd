"""What no answer may tell: the inside of the server."""

from __future__ import annotations

import re
from typing import Final

LEAK: Final = re.compile(
    r"Traceback|File \"|\.(py|db)\b|sqlite|SELECT |INSERT |/tmp/|/home/|Exception", re.IGNORECASE
)
