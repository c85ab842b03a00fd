"""A key of an organization that nobody has used."""

from __future__ import annotations

from itertools import count

import pytest
from tests.otlp.sending import Sender
from tests.stack import Stack

_numbers = count(1)


@pytest.fixture
def sender(stack: Stack) -> Sender:
    return Sender(stack, stack.make_key(f"Exporters {next(_numbers)}"))
