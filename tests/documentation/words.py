"""Words that a newcomer would not know or would misread, and what we say instead."""

from __future__ import annotations

import re
from collections.abc import Iterator

_THINGS = "(point|event|call|batch|byte|row|line|name|tag|label|value|bucket|key|transaction|day)"
WORDS = {
    r"seal(s|ed|ing)?": "flush",
    r"launch(es|ed)?": "service start",
    r"faces?": "API",
    r"by heart": "cached",
    r"at hand": "cached",
    r"upkeep|tid(y|ies|ied|ying)": "maintenance",
    r"told|tells?": "send, say, answer",
    r"heed(s|ed)?": "honor",
    r"refus(e|es|ed|al|ing)": "reject",
    r"figures?": "metrics, values",
    r"anew": "again",
    r"worked out": "computed",
    r"ledger|the board": "state, committed view",
    r"lanes?": "pool",
    r"held back": "backpressure",
    r"la(y|id|ying) out": "flush",
    r"running sums?": "prefix sums",
    r"keyed sums?": "aggregator",
    r"sums? made once": "rollups",
    r"dictionary": "symbol table",
    r"lots|stretch(es)?": "chunk",
    r"good keys?": "active key",
    r"to the letter": "full",
    r"records much": "high-volume writer",
    # The distributive "a": 10,000 points a call.
    rf"\d[\d,.]* {_THINGS}s an? \w+|an? {_THINGS} an? \w+": "per",
}
_ANY = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


def unwanted(text: str) -> Iterator[tuple[int, str, str]]:
    """Return the line, from 1, each word that is found there, and what to say instead."""
    if not _ANY.search(text):
        return
    for word, instead in WORDS.items():
        for match in re.finditer(rf"\b(?:{word})\b", text, re.IGNORECASE):
            yield text.count("\n", 0, match.start()) + 1, match[0], instead
