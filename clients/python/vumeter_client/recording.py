"""The methods that record a point."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vumeter_client.points import MetricType, TagValue, Timestamp, encode


class Recording:
    """What records points: a `Recorder`, or what its `bind` returns.

    Every method may be called from any thread and any event loop. None waits, and none raises:
    a point that cannot be recorded is counted in `Recorder.stats` and logged.
    """

    def __init__(
        self,
        put: Callable[[bytes], bool],
        reject: Callable[[object, Exception], None],
        labels: Mapping[str, str | None],
        tags: Mapping[str, TagValue],
    ) -> None:
        """Give points to `put`, with these labels on each that does not bring its own."""
        self._put_point = put
        self._reject_point = reject
        self._labels = dict(labels)
        self._tags = dict(tags)

    def record(
        self,
        name: str,
        value: float | None = None,
        *,
        type: MetricType | None = None,  # noqa: A002 - what the API calls it
        timestamp: Timestamp = None,
        agent_id: str | None = None,
        environment_id: str | None = None,
        session_id: str | None = None,
        tags: Mapping[str, TagValue] | None = None,
    ) -> bool:
        """Record a point.

        Args:
            name: The name of the metric.
            value: A finite number. Absent is 1, for counters only.
            type: `counter`, `gauge` or `histogram`. Absent is the type that the metric has.
            timestamp: A datetime with a time zone, or seconds since the epoch. Absent is now.
            agent_id: The agent. Absent is that of the recorder.
            environment_id: The environment. Absent is that of the recorder.
            session_id: The session. Absent is that of the recorder.
            tags: Added to those of the recorder. None as a value leaves a tag out.

        Returns:
            Whether the point was taken. It is sent later, in the background.
        """
        try:
            own = {"agentId": agent_id, "environmentId": environment_id, "sessionId": session_id}
            labels = self._labels | {field: text for field, text in own.items() if text}
            point = encode(name, value, type, timestamp, labels, self._tags | dict(tags or {}))
        except Exception as error:
            self._reject_point(name, error)
            return False
        return self._put_point(point)

    def count(
        self,
        name: str,
        value: float = 1,
        *,
        session_id: str | None = None,
        tags: Mapping[str, TagValue] | None = None,
    ) -> bool:
        """Record that something happened, `value` times, as a counter; see `record`."""
        return self.record(name, value, type="counter", session_id=session_id, tags=tags)

    def gauge(
        self,
        name: str,
        value: float,
        *,
        session_id: str | None = None,
        tags: Mapping[str, TagValue] | None = None,
    ) -> bool:
        """Record a level, such as concurrent sessions, as a gauge; see `record`."""
        return self.record(name, value, type="gauge", session_id=session_id, tags=tags)

    def histogram(
        self,
        name: str,
        value: float,
        *,
        session_id: str | None = None,
        tags: Mapping[str, TagValue] | None = None,
    ) -> bool:
        """Record a measurement, such as a latency, as a histogram; see `record`."""
        return self.record(name, value, type="histogram", session_id=session_id, tags=tags)

    def bind(
        self,
        *,
        agent_id: str | None = None,
        environment_id: str | None = None,
        session_id: str | None = None,
        tags: Mapping[str, TagValue] | None = None,
    ) -> Recording:
        """Return what records into the same buffer with more labels on every point.

        An agent calls it once for each session: `recorder.bind(session_id=room.name)`.
        """
        own = {"agentId": agent_id, "environmentId": environment_id, "sessionId": session_id}
        labels = self._labels | {field: text for field, text in own.items() if text}
        return Recording(self._put_point, self._reject_point, labels, self._tags | dict(tags or {}))
