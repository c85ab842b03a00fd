"""Requests of OTLP in JSON, read into the same messages as those in protobuf.

The form is that of protobuf's JSON with OTLP's own rules: 64-bit numbers are text or numbers, enums
are numbers, fields are in camelCase, and unknown fields are ignored.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from vumeter_server.errors import InvalidArgument
from vumeter_server.otlp import wire

Whole = int | str
Double = float | str
MAX_DEPTH: Final = 16
_KINDS: Final = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_MOST_CACHED: Final = 100_000
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class _Camel(msgspec.Struct, rename="camel"):
    """What all have in common: fields are in camelCase, and unknown ones are ignored."""


class _AnyValue(_Camel):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole | None = None
    double_value: Double | None = None
    bytes_value: str | None = None
    array_value: Any = None
    kvlist_value: Any = None


class _KeyValue(_Camel):
    key: str = ""
    value: _AnyValue | None = None


class _Attributes(_Camel):
    """A resource or a scope."""

    name: str = ""
    version: str = ""
    attributes: list[_KeyValue] = []


class _NumberPoint(_Camel):
    attributes: list[_KeyValue] = []
    start_time_unix_nano: Whole = 0
    time_unix_nano: Whole = 0
    as_double: Double | None = None
    as_int: Whole | None = None
    flags: int = 0


class _HistogramPoint(_Camel):
    attributes: list[_KeyValue] = []
    start_time_unix_nano: Whole = 0
    time_unix_nano: Whole = 0
    count: Whole = 0
    sum: Double | None = None
    bucket_counts: list[Whole] = []
    explicit_bounds: list[Double] = []
    flags: int = 0
    min: Double | None = None
    max: Double | None = None


class _Buckets(_Camel):
    offset: int = 0
    bucket_counts: list[Whole] = []


class _ExponentialPoint(_Camel):
    attributes: list[_KeyValue] = []
    start_time_unix_nano: Whole = 0
    time_unix_nano: Whole = 0
    count: Whole = 0
    sum: Double | None = None
    scale: int = 0
    zero_count: Whole = 0
    positive: _Buckets | None = None
    negative: _Buckets | None = None
    flags: int = 0
    min: Double | None = None
    max: Double | None = None


class _Numbers(_Camel):
    """A gauge or a sum, or what is read of a summary."""

    data_points: list[_NumberPoint] = []
    aggregation_temporality: int = 0
    is_monotonic: bool = False


class _Histogram(_Camel):
    data_points: list[_HistogramPoint] = []
    aggregation_temporality: int = 0


class _ExponentialHistogram(_Camel):
    data_points: list[_ExponentialPoint] = []
    aggregation_temporality: int = 0


class _Metric(_Camel):
    name: str = ""
    description: str = ""
    unit: str = ""
    gauge: _Numbers | None = None
    sum: _Numbers | None = None
    histogram: _Histogram | None = None
    exponential_histogram: _ExponentialHistogram | None = None
    summary: _Numbers | None = None


class _ScopeMetrics(_Camel):
    scope: _Attributes | None = None
    metrics: list[_Metric] = []


class _ResourceMetrics(_Camel):
    resource: _Attributes | None = None
    scope_metrics: list[_ScopeMetrics] = []


class _Request(_Camel):
    resource_metrics: list[_ResourceMetrics] | None = None
    resource_spans: Any = None
    resource_logs: Any = None


_decode = msgspec.json.Decoder(_Request).decode


def read_request(data: bytes) -> Any:
    """Return the request that JSON holds, as `wire.read_request` does for protobuf.

    Raises InvalidArgument if it is none.
    """
    if not data.strip():
        raise InvalidArgument.of("body", "must be a JSON object, not empty", as_sent=True)
    try:
        request = _decode(data)
        read = _Reader().request(request.resource_metrics or ())
    except (msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidArgument(wire.NO_REQUEST) from None
    # Unknown fields are ignored, but traces or logs would be lost in silence.
    if request.resource_metrics is None and (request.resource_spans or request.resource_logs):
        raise InvalidArgument(wire.NO_REQUEST)
    return read


class _Reader:
    """Reads one request; attributes that come again are made into bytes once."""

    def __init__(self) -> None:
        self._attributes: dict[tuple[str, str, object], bytes] = {}

    def request(self, given: Sequence[_ResourceMetrics]) -> Any:
        request = wire.REQUEST()
        for of_resource in given:
            resource_metrics = request.resource_metrics.add()
            if of_resource.resource is not None:
                attributes = self._each(of_resource.resource.attributes)
                resource_metrics.resource = wire.resource(attributes)
            for of_scope in of_resource.scope_metrics:
                scope_metrics = resource_metrics.scope_metrics.add()
                scope = of_scope.scope
                if scope is not None:
                    scope_metrics.scope = wire.scope(
                        scope.name, scope.version, self._each(scope.attributes)
                    )
                for metric in of_scope.metrics:
                    self._metric(metric, scope_metrics.metrics.add())
        return request

    def _metric(self, given: _Metric, metric: Any) -> None:
        metric.name, metric.description, metric.unit = given.name, given.description, given.unit
        if sum(getattr(given, each) is not None for each in _KINDS) > 1:
            raise ValueError("the points of a metric are of one kind")
        if given.gauge is not None:
            metric.gauge.SetInParent()
            self._numbers(given.gauge.data_points, metric.gauge.data_points)
        elif given.sum is not None:
            metric.sum.aggregation_temporality = given.sum.aggregation_temporality
            metric.sum.is_monotonic = given.sum.is_monotonic
            self._numbers(given.sum.data_points, metric.sum.data_points)
        elif given.histogram is not None:
            histogram = given.histogram
            metric.histogram.aggregation_temporality = histogram.aggregation_temporality
            for point in histogram.data_points:
                metric.histogram.data_points.add(
                    **self._common(point),
                    **_summary_of(point),
                    bucket_counts=list(map(int, point.bucket_counts)),
                    explicit_bounds=list(map(_double, point.explicit_bounds)),
                )
        elif given.exponential_histogram is not None:
            exponential = given.exponential_histogram
            of_metric = metric.exponential_histogram
            of_metric.aggregation_temporality = exponential.aggregation_temporality
            for each in exponential.data_points:
                of_metric.data_points.add(
                    **self._common(each),
                    **_summary_of(each),
                    scale=each.scale,
                    zero_count=int(each.zero_count),
                    positive=_buckets(each.positive),
                    negative=_buckets(each.negative),
                )
        elif given.summary is not None:
            metric.summary.SetInParent()
            for of_summary in given.summary.data_points:
                metric.summary.data_points.add(flags=of_summary.flags)

    def _numbers(self, given: Sequence[_NumberPoint], points: Any) -> None:
        for point in given:
            read = wire.NUMBER_POINT(**self._common(point))
            if point.as_int is not None:
                read.as_int = int(point.as_int)
            elif point.as_double is not None:
                read.as_double = _double(point.as_double)
            points.append(read.SerializeToString())

    def _common(self, point: _NumberPoint | _HistogramPoint | _ExponentialPoint) -> dict[str, Any]:
        return {
            "attributes": self._each(point.attributes),
            "start_time_unix_nano": int(point.start_time_unix_nano),
            "time_unix_nano": int(point.time_unix_nano),
            "flags": point.flags,
        }

    def _each(self, given: Sequence[_KeyValue]) -> list[bytes]:
        return list(map(self._attribute, given))

    def _attribute(self, given: _KeyValue) -> bytes:
        value = given.value
        if value is not None and value.string_value is not None:
            key = (given.key, "s", value.string_value)
            known = self._attributes.get(key)
            if known is None:
                known = wire.attribute(given.key, {"string_value": value.string_value})
                self._attributes[key] = known
            return known
        return wire.attribute(given.key, _value(value))


def _summary_of(point: _HistogramPoint | _ExponentialPoint) -> dict[str, Any]:
    given = {"sum": point.sum, "min": point.min, "max": point.max}
    known = {name: _double(value) for name, value in given.items() if value is not None}
    return {"count": int(point.count), **known}


def _buckets(given: _Buckets | None) -> dict[str, Any]:
    if given is None:
        return {}
    return {"offset": given.offset, "bucket_counts": list(map(int, given.bucket_counts))}


def _double(given: Double) -> float:
    if isinstance(given, str):
        return _SPECIAL[given] if given in _SPECIAL else float(given)
    return given


def _value(given: Any, depth: int = 0) -> dict[str, Any]:
    """Return the fields of an AnyValue; `given` may be what JSON says of a nested one."""
    if given is None or depth > MAX_DEPTH:
        return {}
    value = given if isinstance(given, _AnyValue) else msgspec.convert(given, _AnyValue)
    for name in ("string_value", "bool_value"):
        if getattr(value, name) is not None:
            return {name: getattr(value, name)}
    fields: dict[str, Any] = {}
    if value.int_value is not None:
        fields["int_value"] = int(value.int_value)
    elif value.double_value is not None:
        fields["double_value"] = _double(value.double_value)
    elif value.bytes_value is not None:
        fields["bytes_value"] = base64.b64decode(value.bytes_value, validate=True)
    elif value.array_value is not None:
        values = value.array_value.get("values", [])
        fields["array_value"] = {"values": [_value(each, depth + 1) for each in values]}
    elif value.kvlist_value is not None:
        pairs = [
            {"key": each.get("key", ""), "value": _value(each.get("value"), depth + 1)}
            for each in value.kvlist_value.get("values", [])
        ]
        fields["kvlist_value"] = {"values": pairs}
    return fields
