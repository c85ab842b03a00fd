"""Filters of a query as masks: of label sets by the label index, of sessions by their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vumeter_server.custom_metrics.matchers import Matcher
from vumeter_server.custom_metrics.sqlite.cache.view import Snapshot
from vumeter_server.custom_metrics.sqlite.formats.columns import Array
from vumeter_server.custom_metrics.sqlite.ingest.session_codes import find_session
from vumeter_server.custom_metrics.sqlite.ingest.symbol_tables import NO_CODE
from vumeter_server.custom_metrics.sqlite.query.plan import SESSION
from vumeter_server.sqlite import check_cancelled

VALUES_BETWEEN_CHECKS = 10_000

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.integer]


class PointFilter:
    """Decides which points match all filters, as the scan asks it.

    Attributes:
        matches_nothing: whether no point can match.
        label_set_mask: bool[label sets]; None if no filter is about labels.
        session_mask: bool[sessions + 1], the first for points without one; None if no filter is
            about sessions.
    """

    def __init__(self, snapshot: Snapshot, matchers: Sequence[Matcher]) -> None:
        self.label_set_mask: Mask | None = None
        self.session_mask: Mask | None = None
        for matcher in matchers:
            if matcher.label == SESSION:
                mask = _session_mask(snapshot, matcher)
                self.session_mask = mask if self.session_mask is None else self.session_mask & mask
            else:
                mask = _label_set_mask(snapshot, matcher)
                self.label_set_mask = (
                    mask if self.label_set_mask is None else self.label_set_mask & mask
                )
        masks = (self.label_set_mask, self.session_mask)
        self.matches_nothing = any(mask is not None and not mask.any() for mask in masks)

    @property
    def reads_label_sets(self) -> bool:
        """Whether the label sets of points decide."""
        return self.label_set_mask is not None

    @property
    def reads_sessions(self) -> bool:
        """Whether the sessions of points decide."""
        return self.session_mask is not None

    def mask(self, label_sets: Array | None, sessions: Array | None) -> Mask | None:
        """Return which points match, None if all do."""
        mask: Mask | None = None
        if self.label_set_mask is not None and label_sets is not None:
            mask = self.label_set_mask.take(label_sets)
        if self.session_mask is not None and sessions is not None:
            of_session = self.session_mask[sessions.astype(np.int64) + 1]
            mask = of_session if mask is None else mask & of_session
        return mask


def _label_set_mask(snapshot: Snapshot, matcher: Matcher) -> Mask:
    return matching_labels(snapshot, matcher, snapshot.labels.column(matcher.label))


def matching_labels(snapshot: Snapshot, matcher: Matcher, column: Codes) -> Mask:
    """Return which interned labels of the matcher's key match, NO_CODE for none among them.

    Values are compared by their numbers; an expression is asked about each distinct value, once.
    """
    if not matcher.operator.is_expression:
        known = snapshot.labels.codes
        wanted = [known.get((matcher.label, each)) if each else NO_CODE for each in matcher.values]
        found = [code for code in wanted if code is not None]
        equal: Mask = column == found[0] if len(found) == 1 else np.isin(column, found)
        return ~equal if matcher.operator.is_negative else equal
    codes, places = np.unique(column, return_inverse=True)
    texts = snapshot.labels.texts
    matches = np.zeros(len(codes), np.bool_)
    for number, code in enumerate(codes.tolist()):
        if not number % VALUES_BETWEEN_CHECKS:
            check_cancelled()
        matches[number] = matcher.matches("" if code == NO_CODE else texts[code])
    mask: Mask = matches[places]
    return mask


def _session_mask(snapshot: Snapshot, matcher: Matcher) -> Mask:
    mask = np.zeros(snapshot.state.sessions + 1, np.bool_)
    if not matcher.operator.is_expression:
        for name in matcher.values:
            code = (
                find_session(snapshot.connection, snapshot.organization_id, name)
                if name
                else NO_CODE
            )
            if code is not None:
                mask[code + 1] = True
        return ~mask if matcher.operator.is_negative else mask
    mask[0] = matcher.matches("")
    rows = snapshot.connection.execute(
        "SELECT session_code, name FROM sessions WHERE organization_id = ?",
        (snapshot.organization_id,),
    )
    for number, (code, name) in enumerate(rows):
        if not number % VALUES_BETWEEN_CHECKS:
            check_cancelled()
        mask[code + 1] = matcher.matches(name)
    return mask
