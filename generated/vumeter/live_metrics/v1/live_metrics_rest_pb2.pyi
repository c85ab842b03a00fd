from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
from vumeter.openapi.v1 import annotations_pb2 as _annotations_pb2_1
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LiveCounters(_message.Message):
    __slots__ = ("active_calls", "accepted_calls", "rejected_calls_capacity", "rejected_calls_tenant_not_configured", "rejected_calls_instructions_missing", "instructions_db_errors", "fallback_instructions_used", "started_calls", "ended_calls", "failed_calls", "referred_calls", "minutes_processed")
    ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_CALLS_FIELD_NUMBER: _ClassVar[int]
    REJECTED_CALLS_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    REJECTED_CALLS_TENANT_NOT_CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_CALLS_INSTRUCTIONS_MISSING_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_DB_ERRORS_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_INSTRUCTIONS_USED_FIELD_NUMBER: _ClassVar[int]
    STARTED_CALLS_FIELD_NUMBER: _ClassVar[int]
    ENDED_CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILED_CALLS_FIELD_NUMBER: _ClassVar[int]
    REFERRED_CALLS_FIELD_NUMBER: _ClassVar[int]
    MINUTES_PROCESSED_FIELD_NUMBER: _ClassVar[int]
    active_calls: int
    accepted_calls: int
    rejected_calls_capacity: int
    rejected_calls_tenant_not_configured: int
    rejected_calls_instructions_missing: int
    instructions_db_errors: int
    fallback_instructions_used: int
    started_calls: int
    ended_calls: int
    failed_calls: int
    referred_calls: int
    minutes_processed: float
    def __init__(self, active_calls: _Optional[int] = ..., accepted_calls: _Optional[int] = ..., rejected_calls_capacity: _Optional[int] = ..., rejected_calls_tenant_not_configured: _Optional[int] = ..., rejected_calls_instructions_missing: _Optional[int] = ..., instructions_db_errors: _Optional[int] = ..., fallback_instructions_used: _Optional[int] = ..., started_calls: _Optional[int] = ..., ended_calls: _Optional[int] = ..., failed_calls: _Optional[int] = ..., referred_calls: _Optional[int] = ..., minutes_processed: _Optional[float] = ...) -> None: ...

class GetGlobalMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTenantMetricsRequest(_message.Message):
    __slots__ = ("tenant_id",)
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    def __init__(self, tenant_id: _Optional[str] = ...) -> None: ...

class GetCapacityDebugRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCapacityDebugResponse(_message.Message):
    __slots__ = ("active_count", "active_calls", "accepted_count", "accepted_call_ids", "pending_count", "pending_call_ids", "pending_by_tenant_count", "pending_by_tenant", "pending_tenant_by_call_id_count", "pending_tenant_by_call_id")
    class ActiveCall(_message.Message):
        __slots__ = ("call_id", "status")
        CALL_ID_FIELD_NUMBER: _ClassVar[int]
        STATUS_FIELD_NUMBER: _ClassVar[int]
        call_id: str
        status: str
        def __init__(self, call_id: _Optional[str] = ..., status: _Optional[str] = ...) -> None: ...
    class PendingByTenantCountEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class PendingByTenantEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.ListValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ...) -> None: ...
    class PendingTenantByCallIdEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_CALL_IDS_FIELD_NUMBER: _ClassVar[int]
    PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    PENDING_CALL_IDS_FIELD_NUMBER: _ClassVar[int]
    PENDING_BY_TENANT_COUNT_FIELD_NUMBER: _ClassVar[int]
    PENDING_BY_TENANT_FIELD_NUMBER: _ClassVar[int]
    PENDING_TENANT_BY_CALL_ID_COUNT_FIELD_NUMBER: _ClassVar[int]
    PENDING_TENANT_BY_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    active_count: int
    active_calls: _containers.RepeatedCompositeFieldContainer[GetCapacityDebugResponse.ActiveCall]
    accepted_count: int
    accepted_call_ids: _containers.RepeatedScalarFieldContainer[str]
    pending_count: int
    pending_call_ids: _containers.RepeatedScalarFieldContainer[str]
    pending_by_tenant_count: _containers.ScalarMap[str, int]
    pending_by_tenant: _containers.MessageMap[str, _struct_pb2.ListValue]
    pending_tenant_by_call_id_count: int
    pending_tenant_by_call_id: _containers.ScalarMap[str, str]
    def __init__(self, active_count: _Optional[int] = ..., active_calls: _Optional[_Iterable[_Union[GetCapacityDebugResponse.ActiveCall, _Mapping]]] = ..., accepted_count: _Optional[int] = ..., accepted_call_ids: _Optional[_Iterable[str]] = ..., pending_count: _Optional[int] = ..., pending_call_ids: _Optional[_Iterable[str]] = ..., pending_by_tenant_count: _Optional[_Mapping[str, int]] = ..., pending_by_tenant: _Optional[_Mapping[str, _struct_pb2.ListValue]] = ..., pending_tenant_by_call_id_count: _Optional[int] = ..., pending_tenant_by_call_id: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GetTenantsRequest(_message.Message):
    __slots__ = ("after", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: str
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[str] = ...) -> None: ...

class PostEventsRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class PostEventsResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...

class WatchMetricsRequest(_message.Message):
    __slots__ = ("tenant_id", "max_updates_per_second")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_UPDATES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    max_updates_per_second: str
    def __init__(self, tenant_id: _Optional[str] = ..., max_updates_per_second: _Optional[str] = ...) -> None: ...

class GetMetricsHistoryRequest(_message.Message):
    __slots__ = ("tenant_id", "start_date", "end_date", "step", "timezone")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    start_date: str
    end_date: str
    step: str
    timezone: str
    def __init__(self, tenant_id: _Optional[str] = ..., start_date: _Optional[str] = ..., end_date: _Optional[str] = ..., step: _Optional[str] = ..., timezone: _Optional[str] = ...) -> None: ...

class GetMetricsHistoryResponse(_message.Message):
    __slots__ = ("data",)
    class Bucket(_message.Message):
        __slots__ = ("start", "active_calls", "accepted_calls", "rejected_calls_capacity", "rejected_calls_tenant_not_configured", "rejected_calls_instructions_missing", "instructions_db_errors", "fallback_instructions_used", "started_calls", "ended_calls", "failed_calls", "referred_calls", "minutes_processed", "peak_active_calls")
        START_FIELD_NUMBER: _ClassVar[int]
        ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
        ACCEPTED_CALLS_FIELD_NUMBER: _ClassVar[int]
        REJECTED_CALLS_CAPACITY_FIELD_NUMBER: _ClassVar[int]
        REJECTED_CALLS_TENANT_NOT_CONFIGURED_FIELD_NUMBER: _ClassVar[int]
        REJECTED_CALLS_INSTRUCTIONS_MISSING_FIELD_NUMBER: _ClassVar[int]
        INSTRUCTIONS_DB_ERRORS_FIELD_NUMBER: _ClassVar[int]
        FALLBACK_INSTRUCTIONS_USED_FIELD_NUMBER: _ClassVar[int]
        STARTED_CALLS_FIELD_NUMBER: _ClassVar[int]
        ENDED_CALLS_FIELD_NUMBER: _ClassVar[int]
        FAILED_CALLS_FIELD_NUMBER: _ClassVar[int]
        REFERRED_CALLS_FIELD_NUMBER: _ClassVar[int]
        MINUTES_PROCESSED_FIELD_NUMBER: _ClassVar[int]
        PEAK_ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
        start: str
        active_calls: int
        accepted_calls: int
        rejected_calls_capacity: int
        rejected_calls_tenant_not_configured: int
        rejected_calls_instructions_missing: int
        instructions_db_errors: int
        fallback_instructions_used: int
        started_calls: int
        ended_calls: int
        failed_calls: int
        referred_calls: int
        minutes_processed: float
        peak_active_calls: int
        def __init__(self, start: _Optional[str] = ..., active_calls: _Optional[int] = ..., accepted_calls: _Optional[int] = ..., rejected_calls_capacity: _Optional[int] = ..., rejected_calls_tenant_not_configured: _Optional[int] = ..., rejected_calls_instructions_missing: _Optional[int] = ..., instructions_db_errors: _Optional[int] = ..., fallback_instructions_used: _Optional[int] = ..., started_calls: _Optional[int] = ..., ended_calls: _Optional[int] = ..., failed_calls: _Optional[int] = ..., referred_calls: _Optional[int] = ..., minutes_processed: _Optional[float] = ..., peak_active_calls: _Optional[int] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[GetMetricsHistoryResponse.Bucket]
    def __init__(self, data: _Optional[_Iterable[_Union[GetMetricsHistoryResponse.Bucket, _Mapping]]] = ...) -> None: ...
