import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.type import date_pb2 as _date_pb2
from vumeter.custom_metrics.v1 import deletion_pb2 as _deletion_pb2
from vumeter.custom_metrics.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MetricType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_TYPE_UNSPECIFIED: _ClassVar[MetricType]
    METRIC_TYPE_COUNTER: _ClassVar[MetricType]
    METRIC_TYPE_GAUGE: _ClassVar[MetricType]
    METRIC_TYPE_HISTOGRAM: _ClassVar[MetricType]

class Fill(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_UNSPECIFIED: _ClassVar[Fill]
    FILL_ZERO: _ClassVar[Fill]

class RecordingRejectionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORDING_REJECTION_REASON_UNSPECIFIED: _ClassVar[RecordingRejectionReason]
    RECORDING_REJECTION_REASON_CLOCK: _ClassVar[RecordingRejectionReason]
    RECORDING_REJECTION_REASON_TYPE: _ClassVar[RecordingRejectionReason]
    RECORDING_REJECTION_REASON_LIMIT: _ClassVar[RecordingRejectionReason]
    RECORDING_REJECTION_REASON_MALFORMED: _ClassVar[RecordingRejectionReason]

class KeyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_STATE_UNSPECIFIED: _ClassVar[KeyState]
    KEY_STATE_GOOD: _ClassVar[KeyState]
    KEY_STATE_EXPIRED: _ClassVar[KeyState]
    KEY_STATE_REVOKED: _ClassVar[KeyState]
METRIC_TYPE_UNSPECIFIED: MetricType
METRIC_TYPE_COUNTER: MetricType
METRIC_TYPE_GAUGE: MetricType
METRIC_TYPE_HISTOGRAM: MetricType
FILL_UNSPECIFIED: Fill
FILL_ZERO: Fill
RECORDING_REJECTION_REASON_UNSPECIFIED: RecordingRejectionReason
RECORDING_REJECTION_REASON_CLOCK: RecordingRejectionReason
RECORDING_REJECTION_REASON_TYPE: RecordingRejectionReason
RECORDING_REJECTION_REASON_LIMIT: RecordingRejectionReason
RECORDING_REJECTION_REASON_MALFORMED: RecordingRejectionReason
KEY_STATE_UNSPECIFIED: KeyState
KEY_STATE_GOOD: KeyState
KEY_STATE_EXPIRED: KeyState
KEY_STATE_REVOKED: KeyState

class Point(_message.Message):
    __slots__ = ("name", "type", "value", "distribution", "occur_time", "agent_id", "environment_id", "session_id", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: MetricType
    value: float
    distribution: Distribution
    occur_time: _timestamp_pb2.Timestamp
    agent_id: str
    environment_id: str
    session_id: str
    tags: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[MetricType, str]] = ..., value: _Optional[float] = ..., distribution: _Optional[_Union[Distribution, _Mapping]] = ..., occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., session_id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RecordPointsRequest(_message.Message):
    __slots__ = ("points", "idempotency_key", "dry_run")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    idempotency_key: str
    dry_run: bool
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., idempotency_key: _Optional[str] = ..., dry_run: bool = ...) -> None: ...

class RecordPointsResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...

class StreamPointsRequest(_message.Message):
    __slots__ = ("points", "idempotency_key")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    idempotency_key: str
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class StreamPointsResponse(_message.Message):
    __slots__ = ("sequence", "recorded", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    recorded: int
    error: _status_pb2.Status
    def __init__(self, sequence: _Optional[int] = ..., recorded: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Distribution(_message.Message):
    __slots__ = ("count", "sum", "min", "max", "bounds", "bucket_counts", "scale", "zero_count", "positive", "negative")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    BUCKET_COUNTS_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    ZERO_COUNT_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_FIELD_NUMBER: _ClassVar[int]
    count: int
    sum: float
    min: float
    max: float
    bounds: _containers.RepeatedScalarFieldContainer[float]
    bucket_counts: _containers.RepeatedScalarFieldContainer[int]
    scale: int
    zero_count: int
    positive: ExponentialBuckets
    negative: ExponentialBuckets
    def __init__(self, count: _Optional[int] = ..., sum: _Optional[float] = ..., min: _Optional[float] = ..., max: _Optional[float] = ..., bounds: _Optional[_Iterable[float]] = ..., bucket_counts: _Optional[_Iterable[int]] = ..., scale: _Optional[int] = ..., zero_count: _Optional[int] = ..., positive: _Optional[_Union[ExponentialBuckets, _Mapping]] = ..., negative: _Optional[_Union[ExponentialBuckets, _Mapping]] = ...) -> None: ...

class ExponentialBuckets(_message.Message):
    __slots__ = ("offset", "bucket_counts")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    BUCKET_COUNTS_FIELD_NUMBER: _ClassVar[int]
    offset: int
    bucket_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, offset: _Optional[int] = ..., bucket_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class LabelSet(_message.Message):
    __slots__ = ("agent_id", "environment_id", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    environment_id: str
    tags: _containers.ScalarMap[str, str]
    def __init__(self, agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PointColumns(_message.Message):
    __slots__ = ("names", "types", "name_indexes", "values", "times_us", "label_sets", "label_set_indexes", "sessions", "session_indexes", "distribution_indexes", "distributions")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    NAME_INDEXES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TIMES_US_FIELD_NUMBER: _ClassVar[int]
    LABEL_SETS_FIELD_NUMBER: _ClassVar[int]
    LABEL_SET_INDEXES_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SESSION_INDEXES_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTION_INDEXES_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    types: _containers.RepeatedScalarFieldContainer[MetricType]
    name_indexes: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    times_us: _containers.RepeatedScalarFieldContainer[int]
    label_sets: _containers.RepeatedCompositeFieldContainer[LabelSet]
    label_set_indexes: _containers.RepeatedScalarFieldContainer[int]
    sessions: _containers.RepeatedScalarFieldContainer[str]
    session_indexes: _containers.RepeatedScalarFieldContainer[int]
    distribution_indexes: _containers.RepeatedScalarFieldContainer[int]
    distributions: _containers.RepeatedCompositeFieldContainer[Distribution]
    def __init__(self, names: _Optional[_Iterable[str]] = ..., types: _Optional[_Iterable[_Union[MetricType, str]]] = ..., name_indexes: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., times_us: _Optional[_Iterable[int]] = ..., label_sets: _Optional[_Iterable[_Union[LabelSet, _Mapping]]] = ..., label_set_indexes: _Optional[_Iterable[int]] = ..., sessions: _Optional[_Iterable[str]] = ..., session_indexes: _Optional[_Iterable[int]] = ..., distribution_indexes: _Optional[_Iterable[int]] = ..., distributions: _Optional[_Iterable[_Union[Distribution, _Mapping]]] = ...) -> None: ...

class RecordColumnsRequest(_message.Message):
    __slots__ = ("columns", "idempotency_key", "dry_run")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    columns: PointColumns
    idempotency_key: str
    dry_run: bool
    def __init__(self, columns: _Optional[_Union[PointColumns, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., dry_run: bool = ...) -> None: ...

class RecordColumnsResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...

class StreamColumnsRequest(_message.Message):
    __slots__ = ("columns", "idempotency_key")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    columns: PointColumns
    idempotency_key: str
    def __init__(self, columns: _Optional[_Union[PointColumns, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class StreamColumnsResponse(_message.Message):
    __slots__ = ("sequence", "recorded", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    recorded: int
    error: _status_pb2.Status
    def __init__(self, sequence: _Optional[int] = ..., recorded: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ListMetricNamesRequest(_message.Message):
    __slots__ = ("agent_id", "page_size", "page_token")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    page_size: int
    page_token: str
    def __init__(self, agent_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMetricNamesResponse(_message.Message):
    __slots__ = ("names", "next_page_token")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, names: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "type", "unit", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: MetricType
    unit: str
    description: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[MetricType, str]] = ..., unit: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("metrics", "next_page_token")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    next_page_token: str
    def __init__(self, metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Selection(_message.Message):
    __slots__ = ("start_time", "end_time", "agent_id", "environment_id", "tags")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    agent_id: str
    environment_id: str
    tags: _containers.ScalarMap[str, str]
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ...) -> None: ...

class AggregateMetricsRequest(_message.Message):
    __slots__ = ("selection", "metric_names", "group_by", "page_size", "page_token")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAMES_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    selection: Selection
    metric_names: _containers.RepeatedScalarFieldContainer[str]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, selection: _Optional[_Union[Selection, _Mapping]] = ..., metric_names: _Optional[_Iterable[str]] = ..., group_by: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class AggregateMetricsResponse(_message.Message):
    __slots__ = ("rows", "next_page_token")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[AggregateRow]
    next_page_token: str
    def __init__(self, rows: _Optional[_Iterable[_Union[AggregateRow, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AggregateRow(_message.Message):
    __slots__ = ("labels", "metrics")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    LABELS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.ScalarMap[str, str]
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, labels: _Optional[_Mapping[str, str]] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class ListDailyMetricsRequest(_message.Message):
    __slots__ = ("selection", "metric_names", "group_by", "time_zone", "fill", "page_size", "page_token")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAMES_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    selection: Selection
    metric_names: _containers.RepeatedScalarFieldContainer[str]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    time_zone: str
    fill: Fill
    page_size: int
    page_token: str
    def __init__(self, selection: _Optional[_Union[Selection, _Mapping]] = ..., metric_names: _Optional[_Iterable[str]] = ..., group_by: _Optional[_Iterable[str]] = ..., time_zone: _Optional[str] = ..., fill: _Optional[_Union[Fill, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDailyMetricsResponse(_message.Message):
    __slots__ = ("rows", "next_page_token")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[DailyRow]
    next_page_token: str
    def __init__(self, rows: _Optional[_Iterable[_Union[DailyRow, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DailyRow(_message.Message):
    __slots__ = ("date", "labels", "metrics")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    DATE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    date: _date_pb2.Date
    labels: _containers.ScalarMap[str, str]
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class QueryTimeseriesRequest(_message.Message):
    __slots__ = ("selection", "metric_name", "step", "fill")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    selection: Selection
    metric_name: str
    step: _duration_pb2.Duration
    fill: Fill
    def __init__(self, selection: _Optional[_Union[Selection, _Mapping]] = ..., metric_name: _Optional[str] = ..., step: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., fill: _Optional[_Union[Fill, str]] = ...) -> None: ...

class QueryTimeseriesResponse(_message.Message):
    __slots__ = ("type", "buckets")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    type: MetricType
    buckets: _containers.RepeatedCompositeFieldContainer[TimeseriesBucket]
    def __init__(self, type: _Optional[_Union[MetricType, str]] = ..., buckets: _Optional[_Iterable[_Union[TimeseriesBucket, _Mapping]]] = ...) -> None: ...

class TimeseriesBucket(_message.Message):
    __slots__ = ("start_time", "value", "sample_count", "max_error")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_ERROR_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    value: float
    sample_count: int
    max_error: float
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., value: _Optional[float] = ..., sample_count: _Optional[int] = ..., max_error: _Optional[float] = ...) -> None: ...

class ListTagsRequest(_message.Message):
    __slots__ = ("metric_name", "agent_id", "key", "prefix", "page_size", "page_token")
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    metric_name: str
    agent_id: str
    key: str
    prefix: str
    page_size: int
    page_token: str
    def __init__(self, metric_name: _Optional[str] = ..., agent_id: _Optional[str] = ..., key: _Optional[str] = ..., prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTagsResponse(_message.Message):
    __slots__ = ("tags", "next_page_token")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: TagValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[TagValues, _Mapping]] = ...) -> None: ...
    TAGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.MessageMap[str, TagValues]
    next_page_token: str
    def __init__(self, tags: _Optional[_Mapping[str, TagValues]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TagValues(_message.Message):
    __slots__ = ("values", "truncated")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    truncated: bool
    def __init__(self, values: _Optional[_Iterable[str]] = ..., truncated: bool = ...) -> None: ...

class GetSessionMetricsRequest(_message.Message):
    __slots__ = ("session_id", "page_size", "page_token")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    page_size: int
    page_token: str
    def __init__(self, session_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetSessionMetricsResponse(_message.Message):
    __slots__ = ("metrics", "next_page_token")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[SessionMetric]
    next_page_token: str
    def __init__(self, metrics: _Optional[_Iterable[_Union[SessionMetric, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SessionMetric(_message.Message):
    __slots__ = ("metric_name", "type", "agent_id", "environment_id", "tags", "last_occur_time", "value", "sample_count", "max_error")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    LAST_OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_ERROR_FIELD_NUMBER: _ClassVar[int]
    metric_name: str
    type: MetricType
    agent_id: str
    environment_id: str
    tags: _containers.ScalarMap[str, str]
    last_occur_time: _timestamp_pb2.Timestamp
    value: float
    sample_count: int
    max_error: float
    def __init__(self, metric_name: _Optional[str] = ..., type: _Optional[_Union[MetricType, str]] = ..., agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., last_occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., value: _Optional[float] = ..., sample_count: _Optional[int] = ..., max_error: _Optional[float] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("points", "bytes", "metrics", "labels", "label_sets", "limits", "by_metric", "by_label", "rejected", "keys")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LABEL_SETS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    BY_METRIC_FIELD_NUMBER: _ClassVar[int]
    BY_LABEL_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    points: int
    bytes: int
    metrics: int
    labels: int
    label_sets: int
    limits: Limits
    by_metric: _containers.RepeatedCompositeFieldContainer[MetricUsage]
    by_label: _containers.RepeatedCompositeFieldContainer[LabelUsage]
    rejected: _containers.RepeatedCompositeFieldContainer[RejectionCount]
    keys: _containers.RepeatedCompositeFieldContainer[KeyUsage]
    def __init__(self, points: _Optional[int] = ..., bytes: _Optional[int] = ..., metrics: _Optional[int] = ..., labels: _Optional[int] = ..., label_sets: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., by_metric: _Optional[_Iterable[_Union[MetricUsage, _Mapping]]] = ..., by_label: _Optional[_Iterable[_Union[LabelUsage, _Mapping]]] = ..., rejected: _Optional[_Iterable[_Union[RejectionCount, _Mapping]]] = ..., keys: _Optional[_Iterable[_Union[KeyUsage, _Mapping]]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("requests_per_second", "points_per_second", "metrics", "label_sets", "label_values")
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    POINTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    LABEL_SETS_FIELD_NUMBER: _ClassVar[int]
    LABEL_VALUES_FIELD_NUMBER: _ClassVar[int]
    requests_per_second: int
    points_per_second: int
    metrics: int
    label_sets: int
    label_values: int
    def __init__(self, requests_per_second: _Optional[int] = ..., points_per_second: _Optional[int] = ..., metrics: _Optional[int] = ..., label_sets: _Optional[int] = ..., label_values: _Optional[int] = ...) -> None: ...

class MetricUsage(_message.Message):
    __slots__ = ("metric_name", "type", "points", "bytes", "label_values")
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    LABEL_VALUES_FIELD_NUMBER: _ClassVar[int]
    metric_name: str
    type: MetricType
    points: int
    bytes: int
    label_values: int
    def __init__(self, metric_name: _Optional[str] = ..., type: _Optional[_Union[MetricType, str]] = ..., points: _Optional[int] = ..., bytes: _Optional[int] = ..., label_values: _Optional[int] = ...) -> None: ...

class LabelUsage(_message.Message):
    __slots__ = ("label", "values", "label_sets", "has_other")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LABEL_SETS_FIELD_NUMBER: _ClassVar[int]
    HAS_OTHER_FIELD_NUMBER: _ClassVar[int]
    label: str
    values: int
    label_sets: int
    has_other: bool
    def __init__(self, label: _Optional[str] = ..., values: _Optional[int] = ..., label_sets: _Optional[int] = ..., has_other: bool = ...) -> None: ...

class RejectionCount(_message.Message):
    __slots__ = ("reason", "key_id", "requests", "points", "last_time", "key_label")
    REASON_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    KEY_LABEL_FIELD_NUMBER: _ClassVar[int]
    reason: RecordingRejectionReason
    key_id: str
    requests: int
    points: int
    last_time: _timestamp_pb2.Timestamp
    key_label: str
    def __init__(self, reason: _Optional[_Union[RecordingRejectionReason, str]] = ..., key_id: _Optional[str] = ..., requests: _Optional[int] = ..., points: _Optional[int] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key_label: _Optional[str] = ...) -> None: ...

class KeyUsage(_message.Message):
    __slots__ = ("key_id", "role", "state", "create_time", "expire_time", "last_use_time", "label")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_TIME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    role: str
    state: KeyState
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    last_use_time: _timestamp_pb2.Timestamp
    label: str
    def __init__(self, key_id: _Optional[str] = ..., role: _Optional[str] = ..., state: _Optional[_Union[KeyState, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_use_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., label: _Optional[str] = ...) -> None: ...

class ExportPointsRequest(_message.Message):
    __slots__ = ("start_time", "end_time", "metric_names", "filters", "resume_token")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAMES_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    metric_names: _containers.RepeatedScalarFieldContainer[str]
    filters: _containers.RepeatedCompositeFieldContainer[_query_pb2.LabelFilter]
    resume_token: str
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metric_names: _Optional[_Iterable[str]] = ..., filters: _Optional[_Iterable[_Union[_query_pb2.LabelFilter, _Mapping]]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class ExportPointsResponse(_message.Message):
    __slots__ = ("columns", "resume_token", "progress")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    columns: PointColumns
    resume_token: str
    progress: float
    def __init__(self, columns: _Optional[_Union[PointColumns, _Mapping]] = ..., resume_token: _Optional[str] = ..., progress: _Optional[float] = ...) -> None: ...
