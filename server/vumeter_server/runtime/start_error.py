"""What keeps a process from starting."""

from __future__ import annotations


class StartError(Exception):
    """Something could not be started; the text says why, for the operator, in one line."""
