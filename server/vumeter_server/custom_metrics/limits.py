"""What becomes of points beyond the limits of their organization."""

from __future__ import annotations

from typing import Final

OTHER: Final = "__other__"
"""The value of a label that stands for all values beyond the limit."""
