import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_PENDING: _ClassVar[EventType]
    EVENT_TYPE_ACCEPTED: _ClassVar[EventType]
    EVENT_TYPE_REJECTED: _ClassVar[EventType]
    EVENT_TYPE_STARTED: _ClassVar[EventType]
    EVENT_TYPE_AUDIO: _ClassVar[EventType]
    EVENT_TYPE_REFERRED: _ClassVar[EventType]
    EVENT_TYPE_ENDED: _ClassVar[EventType]
    EVENT_TYPE_INSTRUCTIONS_DB_ERROR: _ClassVar[EventType]
    EVENT_TYPE_FALLBACK_INSTRUCTIONS_USED: _ClassVar[EventType]

class RejectionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECTION_REASON_UNSPECIFIED: _ClassVar[RejectionReason]
    REJECTION_REASON_CAPACITY: _ClassVar[RejectionReason]
    REJECTION_REASON_TENANT_NOT_CONFIGURED: _ClassVar[RejectionReason]
    REJECTION_REASON_INSTRUCTIONS_MISSING: _ClassVar[RejectionReason]

class CallOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALL_OUTCOME_UNSPECIFIED: _ClassVar[CallOutcome]
    CALL_OUTCOME_COMPLETED: _ClassVar[CallOutcome]
    CALL_OUTCOME_HUNG_UP: _ClassVar[CallOutcome]
    CALL_OUTCOME_FAILED: _ClassVar[CallOutcome]
    CALL_OUTCOME_NO_ANSWER: _ClassVar[CallOutcome]
    CALL_OUTCOME_BUSY: _ClassVar[CallOutcome]
    CALL_OUTCOME_CANCELED: _ClassVar[CallOutcome]
    CALL_OUTCOME_VOICEMAIL: _ClassVar[CallOutcome]
    CALL_OUTCOME_TIMED_OUT: _ClassVar[CallOutcome]
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_PENDING: EventType
EVENT_TYPE_ACCEPTED: EventType
EVENT_TYPE_REJECTED: EventType
EVENT_TYPE_STARTED: EventType
EVENT_TYPE_AUDIO: EventType
EVENT_TYPE_REFERRED: EventType
EVENT_TYPE_ENDED: EventType
EVENT_TYPE_INSTRUCTIONS_DB_ERROR: EventType
EVENT_TYPE_FALLBACK_INSTRUCTIONS_USED: EventType
REJECTION_REASON_UNSPECIFIED: RejectionReason
REJECTION_REASON_CAPACITY: RejectionReason
REJECTION_REASON_TENANT_NOT_CONFIGURED: RejectionReason
REJECTION_REASON_INSTRUCTIONS_MISSING: RejectionReason
CALL_OUTCOME_UNSPECIFIED: CallOutcome
CALL_OUTCOME_COMPLETED: CallOutcome
CALL_OUTCOME_HUNG_UP: CallOutcome
CALL_OUTCOME_FAILED: CallOutcome
CALL_OUTCOME_NO_ANSWER: CallOutcome
CALL_OUTCOME_BUSY: CallOutcome
CALL_OUTCOME_CANCELED: CallOutcome
CALL_OUTCOME_VOICEMAIL: CallOutcome
CALL_OUTCOME_TIMED_OUT: CallOutcome

class CallEvent(_message.Message):
    __slots__ = ("event_id", "type", "call_id", "tenant_id", "occur_time", "reason", "outcome", "minutes", "sequence")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MINUTES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    type: EventType
    call_id: str
    tenant_id: str
    occur_time: _timestamp_pb2.Timestamp
    reason: RejectionReason
    outcome: CallOutcome
    minutes: float
    sequence: int
    def __init__(self, event_id: _Optional[str] = ..., type: _Optional[_Union[EventType, str]] = ..., call_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[_Union[RejectionReason, str]] = ..., outcome: _Optional[_Union[CallOutcome, str]] = ..., minutes: _Optional[float] = ..., sequence: _Optional[int] = ...) -> None: ...

class RecordEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[CallEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[CallEvent, _Mapping]]] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[CallEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[CallEvent, _Mapping]]] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ("sequence", "recorded", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    recorded: int
    error: _status_pb2.Status
    def __init__(self, sequence: _Optional[int] = ..., recorded: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class LiveMetrics(_message.Message):
    __slots__ = ("active_calls", "accepted_calls", "rejected_calls_capacity", "rejected_calls_tenant_not_configured", "rejected_calls_instructions_missing", "instructions_db_errors", "fallback_instructions_used", "started_calls", "ended_calls", "failed_calls", "referred_calls", "minutes_processed", "ended_calls_by_outcome")
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
    ENDED_CALLS_BY_OUTCOME_FIELD_NUMBER: _ClassVar[int]
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
    ended_calls_by_outcome: EndedCallsByOutcome
    def __init__(self, active_calls: _Optional[int] = ..., accepted_calls: _Optional[int] = ..., rejected_calls_capacity: _Optional[int] = ..., rejected_calls_tenant_not_configured: _Optional[int] = ..., rejected_calls_instructions_missing: _Optional[int] = ..., instructions_db_errors: _Optional[int] = ..., fallback_instructions_used: _Optional[int] = ..., started_calls: _Optional[int] = ..., ended_calls: _Optional[int] = ..., failed_calls: _Optional[int] = ..., referred_calls: _Optional[int] = ..., minutes_processed: _Optional[float] = ..., ended_calls_by_outcome: _Optional[_Union[EndedCallsByOutcome, _Mapping]] = ...) -> None: ...

class EndedCallsByOutcome(_message.Message):
    __slots__ = ("completed", "hung_up", "failed", "no_answer", "busy", "canceled", "voicemail", "timed_out")
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    HUNG_UP_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    NO_ANSWER_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    VOICEMAIL_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    completed: int
    hung_up: int
    failed: int
    no_answer: int
    busy: int
    canceled: int
    voicemail: int
    timed_out: int
    def __init__(self, completed: _Optional[int] = ..., hung_up: _Optional[int] = ..., failed: _Optional[int] = ..., no_answer: _Optional[int] = ..., busy: _Optional[int] = ..., canceled: _Optional[int] = ..., voicemail: _Optional[int] = ..., timed_out: _Optional[int] = ...) -> None: ...

class LiveRates(_message.Message):
    __slots__ = ("error_rate", "fallback_rate", "rejection_rate", "rejection_rate_capacity", "rejection_rate_tenant_not_configured", "rejection_rate_instructions_missing", "max_concurrent_calls", "headroom_calls")
    ERROR_RATE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_RATE_FIELD_NUMBER: _ClassVar[int]
    REJECTION_RATE_FIELD_NUMBER: _ClassVar[int]
    REJECTION_RATE_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    REJECTION_RATE_TENANT_NOT_CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    REJECTION_RATE_INSTRUCTIONS_MISSING_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_CALLS_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_CALLS_FIELD_NUMBER: _ClassVar[int]
    error_rate: float
    fallback_rate: float
    rejection_rate: float
    rejection_rate_capacity: float
    rejection_rate_tenant_not_configured: float
    rejection_rate_instructions_missing: float
    max_concurrent_calls: int
    headroom_calls: int
    def __init__(self, error_rate: _Optional[float] = ..., fallback_rate: _Optional[float] = ..., rejection_rate: _Optional[float] = ..., rejection_rate_capacity: _Optional[float] = ..., rejection_rate_tenant_not_configured: _Optional[float] = ..., rejection_rate_instructions_missing: _Optional[float] = ..., max_concurrent_calls: _Optional[int] = ..., headroom_calls: _Optional[int] = ...) -> None: ...

class GetLiveMetricsRequest(_message.Message):
    __slots__ = ("tenant_id",)
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    def __init__(self, tenant_id: _Optional[str] = ...) -> None: ...

class GetLiveMetricsResponse(_message.Message):
    __slots__ = ("metrics", "rates")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    metrics: LiveMetrics
    rates: LiveRates
    def __init__(self, metrics: _Optional[_Union[LiveMetrics, _Mapping]] = ..., rates: _Optional[_Union[LiveRates, _Mapping]] = ...) -> None: ...

class GetCapacityRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListedCall(_message.Message):
    __slots__ = ("call_id", "tenant_id")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    tenant_id: str
    def __init__(self, call_id: _Optional[str] = ..., tenant_id: _Optional[str] = ...) -> None: ...

class GetCapacityResponse(_message.Message):
    __slots__ = ("active_calls", "accepted_calls", "pending_calls", "next_page_token")
    ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_CALLS_FIELD_NUMBER: _ClassVar[int]
    PENDING_CALLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    active_calls: _containers.RepeatedCompositeFieldContainer[ListedCall]
    accepted_calls: _containers.RepeatedCompositeFieldContainer[ListedCall]
    pending_calls: _containers.RepeatedCompositeFieldContainer[ListedCall]
    next_page_token: str
    def __init__(self, active_calls: _Optional[_Iterable[_Union[ListedCall, _Mapping]]] = ..., accepted_calls: _Optional[_Iterable[_Union[ListedCall, _Mapping]]] = ..., pending_calls: _Optional[_Iterable[_Union[ListedCall, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchLiveMetricsRequest(_message.Message):
    __slots__ = ("tenant_id", "max_updates_per_second")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_UPDATES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    max_updates_per_second: float
    def __init__(self, tenant_id: _Optional[str] = ..., max_updates_per_second: _Optional[float] = ...) -> None: ...

class WatchLiveMetricsResponse(_message.Message):
    __slots__ = ("metrics", "rates")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    metrics: LiveMetrics
    rates: LiveRates
    def __init__(self, metrics: _Optional[_Union[LiveMetrics, _Mapping]] = ..., rates: _Optional[_Union[LiveRates, _Mapping]] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("tenant_id", "start_time", "end_time", "step")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    step: _duration_pb2.Duration
    def __init__(self, tenant_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., step: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HistoryBucket(_message.Message):
    __slots__ = ("start_time", "metrics", "peak_active_calls")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PEAK_ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    metrics: LiveMetrics
    peak_active_calls: int
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metrics: _Optional[_Union[LiveMetrics, _Mapping]] = ..., peak_active_calls: _Optional[int] = ...) -> None: ...

class GetHistoryResponse(_message.Message):
    __slots__ = ("buckets",)
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    buckets: _containers.RepeatedCompositeFieldContainer[HistoryBucket]
    def __init__(self, buckets: _Optional[_Iterable[_Union[HistoryBucket, _Mapping]]] = ...) -> None: ...

class ListTenantsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Tenant(_message.Message):
    __slots__ = ("tenant_id", "last_event_occur_time", "last_event_receive_time", "max_concurrent_calls", "active_calls", "pending_calls", "unstarted_calls")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_CALLS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_CALLS_FIELD_NUMBER: _ClassVar[int]
    PENDING_CALLS_FIELD_NUMBER: _ClassVar[int]
    UNSTARTED_CALLS_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    last_event_occur_time: _timestamp_pb2.Timestamp
    last_event_receive_time: _timestamp_pb2.Timestamp
    max_concurrent_calls: int
    active_calls: int
    pending_calls: int
    unstarted_calls: int
    def __init__(self, tenant_id: _Optional[str] = ..., last_event_occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_event_receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., max_concurrent_calls: _Optional[int] = ..., active_calls: _Optional[int] = ..., pending_calls: _Optional[int] = ..., unstarted_calls: _Optional[int] = ...) -> None: ...

class ListTenantsResponse(_message.Message):
    __slots__ = ("tenants", "next_page_token")
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedCompositeFieldContainer[Tenant]
    next_page_token: str
    def __init__(self, tenants: _Optional[_Iterable[_Union[Tenant, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SetTenantLimitRequest(_message.Message):
    __slots__ = ("tenant_id", "max_concurrent_calls")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_CALLS_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    max_concurrent_calls: int
    def __init__(self, tenant_id: _Optional[str] = ..., max_concurrent_calls: _Optional[int] = ...) -> None: ...

class SetTenantLimitResponse(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: Tenant
    def __init__(self, tenant: _Optional[_Union[Tenant, _Mapping]] = ...) -> None: ...

class ExportEventsRequest(_message.Message):
    __slots__ = ("tenant_id", "start_time", "end_time", "resume_token")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    resume_token: str
    def __init__(self, tenant_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class ExportEventsResponse(_message.Message):
    __slots__ = ("events", "resume_token", "progress")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[CallEvent]
    resume_token: str
    progress: float
    def __init__(self, events: _Optional[_Iterable[_Union[CallEvent, _Mapping]]] = ..., resume_token: _Optional[str] = ..., progress: _Optional[float] = ...) -> None: ...
