import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RefusalReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSAL_REASON_UNSPECIFIED: _ClassVar[RefusalReason]
    REFUSAL_REASON_NAME: _ClassVar[RefusalReason]
    REFUSAL_REASON_TYPE: _ClassVar[RefusalReason]
    REFUSAL_REASON_VALUE: _ClassVar[RefusalReason]
    REFUSAL_REASON_TIME: _ClassVar[RefusalReason]
    REFUSAL_REASON_DISTRIBUTION: _ClassVar[RefusalReason]
    REFUSAL_REASON_UNSUPPORTED: _ClassVar[RefusalReason]
    REFUSAL_REASON_LIMIT: _ClassVar[RefusalReason]
    REFUSAL_REASON_MALFORMED: _ClassVar[RefusalReason]
REFUSAL_REASON_UNSPECIFIED: RefusalReason
REFUSAL_REASON_NAME: RefusalReason
REFUSAL_REASON_TYPE: RefusalReason
REFUSAL_REASON_VALUE: RefusalReason
REFUSAL_REASON_TIME: RefusalReason
REFUSAL_REASON_DISTRIBUTION: RefusalReason
REFUSAL_REASON_UNSUPPORTED: RefusalReason
REFUSAL_REASON_LIMIT: RefusalReason
REFUSAL_REASON_MALFORMED: RefusalReason

class ListRefusedPointsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRefusedPointsResponse(_message.Message):
    __slots__ = ("counts", "latest", "notes")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[RefusedCount]
    latest: _containers.RepeatedCompositeFieldContainer[RefusedPoint]
    notes: _containers.RepeatedCompositeFieldContainer[PointNote]
    def __init__(self, counts: _Optional[_Iterable[_Union[RefusedCount, _Mapping]]] = ..., latest: _Optional[_Iterable[_Union[RefusedPoint, _Mapping]]] = ..., notes: _Optional[_Iterable[_Union[PointNote, _Mapping]]] = ...) -> None: ...

class RefusedCount(_message.Message):
    __slots__ = ("reason", "key_id", "metric_name", "points", "last_refuse_time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    LAST_REFUSE_TIME_FIELD_NUMBER: _ClassVar[int]
    reason: RefusalReason
    key_id: str
    metric_name: str
    points: int
    last_refuse_time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[_Union[RefusalReason, str]] = ..., key_id: _Optional[str] = ..., metric_name: _Optional[str] = ..., points: _Optional[int] = ..., last_refuse_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RefusedPoint(_message.Message):
    __slots__ = ("refuse_time", "key_id", "metric_name", "reason", "problem")
    REFUSE_TIME_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    refuse_time: _timestamp_pb2.Timestamp
    key_id: str
    metric_name: str
    reason: RefusalReason
    problem: str
    def __init__(self, refuse_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key_id: _Optional[str] = ..., metric_name: _Optional[str] = ..., reason: _Optional[_Union[RefusalReason, str]] = ..., problem: _Optional[str] = ...) -> None: ...

class PointNote(_message.Message):
    __slots__ = ("note", "key_id", "count", "last_time")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    note: str
    key_id: str
    count: int
    last_time: _timestamp_pb2.Timestamp
    def __init__(self, note: _Optional[str] = ..., key_id: _Optional[str] = ..., count: _Optional[int] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
