from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
from vumeter.openapi.v1 import annotations_pb2 as _annotations_pb2_1
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class RecordResponse(_message.Message):
    __slots__ = ("data",)
    class Data(_message.Message):
        __slots__ = ("recorded",)
        RECORDED_FIELD_NUMBER: _ClassVar[int]
        recorded: int
        def __init__(self, recorded: _Optional[int] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: RecordResponse.Data
    def __init__(self, data: _Optional[_Union[RecordResponse.Data, _Mapping]] = ...) -> None: ...

class GetNamesRequest(_message.Message):
    __slots__ = ("agent_id",)
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    def __init__(self, agent_id: _Optional[str] = ...) -> None: ...

class GetNamesResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, data: _Optional[_Iterable[str]] = ...) -> None: ...

class GetMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAggregateRequest(_message.Message):
    __slots__ = ("start_date", "end_date", "metric_names", "agent_id", "environment_id", "tags", "timezone", "group_by")
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAMES_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    start_date: str
    end_date: str
    metric_names: str
    agent_id: str
    environment_id: str
    tags: str
    timezone: str
    group_by: str
    def __init__(self, start_date: _Optional[str] = ..., end_date: _Optional[str] = ..., metric_names: _Optional[str] = ..., agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., tags: _Optional[str] = ..., timezone: _Optional[str] = ..., group_by: _Optional[str] = ...) -> None: ...

class GetDailyRequest(_message.Message):
    __slots__ = ("start_date", "end_date", "metric_names", "agent_id", "environment_id", "tags", "timezone", "group_by", "fill")
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    METRIC_NAMES_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    start_date: str
    end_date: str
    metric_names: str
    agent_id: str
    environment_id: str
    tags: str
    timezone: str
    group_by: str
    fill: str
    def __init__(self, start_date: _Optional[str] = ..., end_date: _Optional[str] = ..., metric_names: _Optional[str] = ..., agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., tags: _Optional[str] = ..., timezone: _Optional[str] = ..., group_by: _Optional[str] = ..., fill: _Optional[str] = ...) -> None: ...

class GetTimeseriesRequest(_message.Message):
    __slots__ = ("metric_name", "start_date", "end_date", "step", "agent_id", "environment_id", "tags", "timezone", "fill")
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    metric_name: str
    start_date: str
    end_date: str
    step: str
    agent_id: str
    environment_id: str
    tags: str
    timezone: str
    fill: str
    def __init__(self, metric_name: _Optional[str] = ..., start_date: _Optional[str] = ..., end_date: _Optional[str] = ..., step: _Optional[str] = ..., agent_id: _Optional[str] = ..., environment_id: _Optional[str] = ..., tags: _Optional[str] = ..., timezone: _Optional[str] = ..., fill: _Optional[str] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ("data",)
    class Data(_message.Message):
        __slots__ = ("deleted",)
        DELETED_FIELD_NUMBER: _ClassVar[int]
        deleted: int
        def __init__(self, deleted: _Optional[int] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: DeleteResponse.Data
    def __init__(self, data: _Optional[_Union[DeleteResponse.Data, _Mapping]] = ...) -> None: ...

class GetTagsRequest(_message.Message):
    __slots__ = ("metric_name", "agent_id")
    METRIC_NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    metric_name: str
    agent_id: str
    def __init__(self, metric_name: _Optional[str] = ..., agent_id: _Optional[str] = ...) -> None: ...

class QueryUsageRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: str
    def __init__(self, limit: _Optional[str] = ...) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...
