"""Options that are filters by label."""

from __future__ import annotations

import re

import click

from vumeter_server.custom_metrics.matchers import Matcher, Operator

_FILTER = re.compile(r"(?P<label>[A-Za-z_][A-Za-z0-9_]*)(?P<op>=~|!~|!=|=)(?P<value>.*)", re.DOTALL)
_OPERATORS = {each.value: each for each in Operator if not each.is_list}


class FilterType(click.ParamType[Matcher]):
    """LABEL=VALUE, or with `!=`, `=~` and `!~` in the place of `=`."""

    name = "LABEL=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Matcher:
        """Return the filter that the text stands for."""
        if isinstance(value, Matcher):
            return value
        read = _FILTER.fullmatch(str(value))
        if read is None:
            self.fail(f"{value} is not LABEL=VALUE, with =, !=, =~ or !~", param, ctx)
        return Matcher(read["label"], _OPERATORS[read["op"]], (read["value"],))
