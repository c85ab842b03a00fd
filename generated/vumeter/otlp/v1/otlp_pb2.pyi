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

class RejectionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECTION_REASON_UNSPECIFIED: _ClassVar[RejectionReason]
    REJECTION_REASON_NAME: _ClassVar[RejectionReason]
    REJECTION_REASON_TYPE: _ClassVar[RejectionReason]
    REJECTION_REASON_VALUE: _ClassVar[RejectionReason]
    REJECTION_REASON_TIME: _ClassVar[RejectionReason]
    REJECTION_REASON_DISTRIBUTION: _ClassVar[RejectionReason]
    REJECTION_REASON_UNSUPPORTED: _ClassVar[RejectionReason]
    REJECTION_REASON_LIMIT: _ClassVar[RejectionReason]
    REJECTION_REASON_MALFORMED: _ClassVar[RejectionReason]
REJECTION_REASON_UNSPECIFIED: RejectionReason
REJECTION_REASON_NAME: RejectionReason
REJECTION_REASON_TYPE: RejectionReason
REJECTION_REASON_VALUE: RejectionReason
REJECTION_REASON_TIME: RejectionReason
REJECTION_REASON_DISTRIBUTION: RejectionReason
REJECTION_REASON_UNSUPPORTED: RejectionReason
REJECTION_REASON_LIMIT: RejectionReason
REJECTION_REASON_MALFORMED: RejectionReason

class ListRejectedPointsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRejectedPointsResponse(_message.Message):
    __slots__ = ("counts", "latest", "notes")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[RejectedCount]
    latest: _containers.RepeatedCompositeFieldContainer[RejectedPoint]
    notes: _containers.RepeatedCompositeFieldContainer[PointNote]
    def __init__(self, counts: _Optional[_Iterable[_Union[RejectedCount, _Mapping]]] = ..., latest: _Optional[_Iterable[_Union[RejectedPoint, _Mapping]]] = ..., notes: _Optional[_Iterable[_Union[PointNote, _Mapping]]] = ...) -> None: ...

class RejectedCount(_message.Message):
    __slots__ = ("reason", "key_id", "metric_name", "points", "last_reject_time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    LAST_REJECT_TIME_FIELD_NUMBER: _ClassVar[int]
    reason: RejectionReason
    key_id: str
    metric_name: str
    points: int
    last_reject_time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[_Union[RejectionReason, str]] = ..., key_id: _Optional[str] = ..., metric_name: _Optional[str] = ..., points: _Optional[int] = ..., last_reject_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RejectedPoint(_message.Message):
    __slots__ = ("reject_time", "key_id", "metric_name", "reason", "problem")
    REJECT_TIME_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    reject_time: _timestamp_pb2.Timestamp
    key_id: str
    metric_name: str
    reason: RejectionReason
    problem: str
    def __init__(self, reject_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key_id: _Optional[str] = ..., metric_name: _Optional[str] = ..., reason: _Optional[_Union[RejectionReason, str]] = ..., problem: _Optional[str] = ...) -> None: ...

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
