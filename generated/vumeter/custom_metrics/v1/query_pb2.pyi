import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CalendarUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALENDAR_UNIT_UNSPECIFIED: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_DAY: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_WEEK: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_MONTH: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_QUARTER: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_YEAR: _ClassVar[CalendarUnit]

class QueryFunction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_FUNCTION_UNSPECIFIED: _ClassVar[QueryFunction]
    QUERY_FUNCTION_SUM: _ClassVar[QueryFunction]
    QUERY_FUNCTION_COUNT: _ClassVar[QueryFunction]
    QUERY_FUNCTION_RATE: _ClassVar[QueryFunction]
    QUERY_FUNCTION_MEAN: _ClassVar[QueryFunction]
    QUERY_FUNCTION_MIN: _ClassVar[QueryFunction]
    QUERY_FUNCTION_MAX: _ClassVar[QueryFunction]
    QUERY_FUNCTION_LAST: _ClassVar[QueryFunction]
    QUERY_FUNCTION_PERCENTILE: _ClassVar[QueryFunction]
    QUERY_FUNCTION_SESSIONS: _ClassVar[QueryFunction]

class LabelOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_OPERATOR_UNSPECIFIED: _ClassVar[LabelOperator]
    LABEL_OPERATOR_EQUAL: _ClassVar[LabelOperator]
    LABEL_OPERATOR_NOT_EQUAL: _ClassVar[LabelOperator]
    LABEL_OPERATOR_IN: _ClassVar[LabelOperator]
    LABEL_OPERATOR_NOT_IN: _ClassVar[LabelOperator]
    LABEL_OPERATOR_MATCHES: _ClassVar[LabelOperator]
    LABEL_OPERATOR_NOT_MATCHES: _ClassVar[LabelOperator]

class QueryFill(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_FILL_UNSPECIFIED: _ClassVar[QueryFill]
    QUERY_FILL_NULL: _ClassVar[QueryFill]
    QUERY_FILL_ZERO: _ClassVar[QueryFill]
CALENDAR_UNIT_UNSPECIFIED: CalendarUnit
CALENDAR_UNIT_DAY: CalendarUnit
CALENDAR_UNIT_WEEK: CalendarUnit
CALENDAR_UNIT_MONTH: CalendarUnit
CALENDAR_UNIT_QUARTER: CalendarUnit
CALENDAR_UNIT_YEAR: CalendarUnit
QUERY_FUNCTION_UNSPECIFIED: QueryFunction
QUERY_FUNCTION_SUM: QueryFunction
QUERY_FUNCTION_COUNT: QueryFunction
QUERY_FUNCTION_RATE: QueryFunction
QUERY_FUNCTION_MEAN: QueryFunction
QUERY_FUNCTION_MIN: QueryFunction
QUERY_FUNCTION_MAX: QueryFunction
QUERY_FUNCTION_LAST: QueryFunction
QUERY_FUNCTION_PERCENTILE: QueryFunction
QUERY_FUNCTION_SESSIONS: QueryFunction
LABEL_OPERATOR_UNSPECIFIED: LabelOperator
LABEL_OPERATOR_EQUAL: LabelOperator
LABEL_OPERATOR_NOT_EQUAL: LabelOperator
LABEL_OPERATOR_IN: LabelOperator
LABEL_OPERATOR_NOT_IN: LabelOperator
LABEL_OPERATOR_MATCHES: LabelOperator
LABEL_OPERATOR_NOT_MATCHES: LabelOperator
QUERY_FILL_UNSPECIFIED: QueryFill
QUERY_FILL_NULL: QueryFill
QUERY_FILL_ZERO: QueryFill

class QueryMetricsRequest(_message.Message):
    __slots__ = ("start_time", "end_time", "time_zone", "duration", "calendar_unit", "metrics", "formulas", "filters", "group_by", "order_by", "limit", "other", "fill", "compare_to")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_UNIT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    FORMULAS_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    COMPARE_TO_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    time_zone: str
    duration: _duration_pb2.Duration
    calendar_unit: CalendarUnit
    metrics: _containers.RepeatedCompositeFieldContainer[MetricColumn]
    formulas: _containers.RepeatedCompositeFieldContainer[FormulaColumn]
    filters: _containers.RepeatedCompositeFieldContainer[LabelFilter]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    order_by: str
    limit: int
    other: bool
    fill: QueryFill
    compare_to: Comparison
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_zone: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., calendar_unit: _Optional[_Union[CalendarUnit, str]] = ..., metrics: _Optional[_Iterable[_Union[MetricColumn, _Mapping]]] = ..., formulas: _Optional[_Iterable[_Union[FormulaColumn, _Mapping]]] = ..., filters: _Optional[_Iterable[_Union[LabelFilter, _Mapping]]] = ..., group_by: _Optional[_Iterable[str]] = ..., order_by: _Optional[str] = ..., limit: _Optional[int] = ..., other: bool = ..., fill: _Optional[_Union[QueryFill, str]] = ..., compare_to: _Optional[_Union[Comparison, _Mapping]] = ...) -> None: ...

class MetricColumn(_message.Message):
    __slots__ = ("metric", "function", "percentile", "filters")
    AS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    metric: str
    function: QueryFunction
    percentile: float
    filters: _containers.RepeatedCompositeFieldContainer[LabelFilter]
    def __init__(self, metric: _Optional[str] = ..., function: _Optional[_Union[QueryFunction, str]] = ..., percentile: _Optional[float] = ..., filters: _Optional[_Iterable[_Union[LabelFilter, _Mapping]]] = ..., **kwargs) -> None: ...

class FormulaColumn(_message.Message):
    __slots__ = ("expression",)
    AS_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    expression: str
    def __init__(self, expression: _Optional[str] = ..., **kwargs) -> None: ...

class LabelFilter(_message.Message):
    __slots__ = ("label", "operator", "values")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    label: str
    operator: LabelOperator
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, label: _Optional[str] = ..., operator: _Optional[_Union[LabelOperator, str]] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("days_earlier",)
    DAYS_EARLIER_FIELD_NUMBER: _ClassVar[int]
    days_earlier: int
    def __init__(self, days_earlier: _Optional[int] = ...) -> None: ...

class QueryMetricsResponse(_message.Message):
    __slots__ = ("rows", "groups")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[QueryRow]
    groups: int
    def __init__(self, rows: _Optional[_Iterable[_Union[QueryRow, _Mapping]]] = ..., groups: _Optional[int] = ...) -> None: ...

class QueryRow(_message.Message):
    __slots__ = ("start_time", "end_time", "labels", "is_other", "values", "counts", "previous", "max_error")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class PreviousEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MaxErrorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    IS_OTHER_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    MAX_ERROR_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    labels: _containers.ScalarMap[str, str]
    is_other: bool
    values: _containers.ScalarMap[str, float]
    counts: _containers.ScalarMap[str, int]
    previous: _containers.ScalarMap[str, float]
    max_error: _containers.ScalarMap[str, float]
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., is_other: bool = ..., values: _Optional[_Mapping[str, float]] = ..., counts: _Optional[_Mapping[str, int]] = ..., previous: _Optional[_Mapping[str, float]] = ..., max_error: _Optional[_Mapping[str, float]] = ...) -> None: ...
