"""Asking a server for metrics."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from vumeter_client.connection import Connection
from vumeter_client.errors import UnexpectedAnswer, error_of
from vumeter_client.query import Filter, Metric, Moment, QueryResult, moment_text, row_of
from vumeter_client.settings import endpoint

PATH = "/v1/custom-metrics/query"


class Client:
    """Queries metrics with a key of the role `admin` or `owner`. Any thread may use it."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        timeout: float = 15.0,
    ) -> None:
        """Make a client; nothing is sent before the first query.

        Args:
            url: The REST port of the server. Absent is `VUMETER_URL`, then http://127.0.0.1:8080.
            key: `<key id>.<secret>`. Absent is `VUMETER_KEY`.
            ca_file: Certificate authorities (PEM) to trust in place of the system's, for https.
                Absent is `VUMETER_CA_FILE`.
            client_cert: A certificate (PEM) to show to a server that asks for one. Absent is
                `VUMETER_CLIENT_CERT`.
            client_key: The key of that certificate, without a passphrase. Absent is
                `VUMETER_CLIENT_KEY`.
            timeout: Seconds to wait for an answer. The server itself ends a query after 10 s.

        Raises:
            ValueError: There is no key, or an argument is not valid.
        """
        self._endpoint = endpoint(url, key, ca_file, client_cert, client_key)
        self._timeout = timeout

    def query(
        self,
        start: Moment,
        end: Moment,
        metrics: Mapping[str, Metric],
        *,
        timezone: str = "UTC",
        step: str | None = None,
        formulas: Mapping[str, str] | None = None,
        filters: Sequence[Filter] = (),
        group_by: Sequence[str] = (),
        order_by: str | None = None,
        limit: int | None = None,
        other: bool = False,
        fill: Literal["null", "zero"] | None = None,
        compare_to: str | None = None,
    ) -> QueryResult:
        """Ask for any functions of any metrics.

        The call waits for the answer: in an event loop use `asyncio.to_thread`.

        Args:
            start: The first instant of the range: a date, a time, or a text such as `2025-04-01`.
            end: Where the range ends; it does not belong to it.
            metrics: The columns, by the names that they get: 1 to 20.
            timezone: The IANA zone of dates, calendar steps and the times of the answer.
            step: A duration such as `1h30m`, or `day`, `week`, `month`, `quarter`, `year`. Absent
                is one bucket, the range.
            formulas: More columns: an expression by name, such as `"booked / attempts"`.
            filters: What every point must match; at most 20.
            group_by: At most 5 labels. There is a row for each group and bucket.
            order_by: A column, with `-` in front for descending.
            limit: How many groups are listed, 1 to 1,000.
            other: Whether the groups beyond `limit` are put together in one.
            fill: `null` or `zero` gives rows to buckets without points.
            compare_to: `previous`, or so many days or weeks earlier: `7d`, `4w`.

        Raises:
            InvalidArgument: The query is wrong; `violations` names the fields.
            Unauthenticated: The key is not valid.
            PermissionDenied: The role of the key does not allow queries.
            ApiError: Another error of the server.
            ConnectionFailed: No answer came.
            UnexpectedAnswer: The answer is not one of vumeter.
        """
        asked: dict[str, Any] = {
            "startDate": moment_text(start),
            "endDate": moment_text(end),
            "timezone": timezone,
            "metrics": [each.as_json(name) for name, each in metrics.items()],
            "step": step,
            "formulas": [
                {"as": name, "expression": text} for name, text in (formulas or {}).items()
            ],
            "filters": [each.as_json() for each in filters],
            "groupBy": list(group_by),
            "orderBy": order_by,
            "limit": limit,
            "other": other,
            "fill": fill,
            "compareTo": compare_to,
        }
        body = json.dumps({name: value for name, value in asked.items() if value is not None})
        connection = Connection(self._endpoint)
        try:
            answer = connection.post(PATH, body.encode(), self._timeout, "application/json")
        finally:
            connection.close()
        if answer.status != 200:
            raise error_of(answer.status, answer.headers, answer.body)
        try:
            data = json.loads(answer.body)["data"]
            rows = [row_of(each) for each in data["rows"]]
            return QueryResult(rows, int(data["groups"]), timezone)
        except (ValueError, TypeError, KeyError) as error:
            raise UnexpectedAnswer("the answer has no rows") from error
