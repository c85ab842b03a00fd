import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecutionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_STATUS_UNSPECIFIED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_PENDING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_RUNNING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_COMPLETED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_FAILED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_CANCELLING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_CANCELLED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_EVALUATING: _ClassVar[ExecutionStatus]

class CallStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALL_STATUS_UNSPECIFIED: _ClassVar[CallStatus]
    CALL_STATUS_PENDING: _ClassVar[CallStatus]
    CALL_STATUS_REGISTERED: _ClassVar[CallStatus]
    CALL_STATUS_ONGOING: _ClassVar[CallStatus]
    CALL_STATUS_ANALYZING: _ClassVar[CallStatus]
    CALL_STATUS_COMPLETED: _ClassVar[CallStatus]
    CALL_STATUS_FAILED: _ClassVar[CallStatus]
    CALL_STATUS_CANCELLED: _ClassVar[CallStatus]

class Better(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BETTER_UNSPECIFIED: _ClassVar[Better]
    BETTER_LOWER: _ClassVar[Better]
    BETTER_HIGHER: _ClassVar[Better]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_UNKNOWN: _ClassVar[Verdict]
    VERDICT_BETTER: _ClassVar[Verdict]
    VERDICT_WORSE: _ClassVar[Verdict]
    VERDICT_SAME: _ClassVar[Verdict]

class ThresholdOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    THRESHOLD_OUTCOME_UNSPECIFIED: _ClassVar[ThresholdOutcome]
    THRESHOLD_OUTCOME_WITHIN: _ClassVar[ThresholdOutcome]
    THRESHOLD_OUTCOME_EXCEEDED: _ClassVar[ThresholdOutcome]
    THRESHOLD_OUTCOME_UNKNOWN: _ClassVar[ThresholdOutcome]
EXECUTION_STATUS_UNSPECIFIED: ExecutionStatus
EXECUTION_STATUS_PENDING: ExecutionStatus
EXECUTION_STATUS_RUNNING: ExecutionStatus
EXECUTION_STATUS_COMPLETED: ExecutionStatus
EXECUTION_STATUS_FAILED: ExecutionStatus
EXECUTION_STATUS_CANCELLING: ExecutionStatus
EXECUTION_STATUS_CANCELLED: ExecutionStatus
EXECUTION_STATUS_EVALUATING: ExecutionStatus
CALL_STATUS_UNSPECIFIED: CallStatus
CALL_STATUS_PENDING: CallStatus
CALL_STATUS_REGISTERED: CallStatus
CALL_STATUS_ONGOING: CallStatus
CALL_STATUS_ANALYZING: CallStatus
CALL_STATUS_COMPLETED: CallStatus
CALL_STATUS_FAILED: CallStatus
CALL_STATUS_CANCELLED: CallStatus
BETTER_UNSPECIFIED: Better
BETTER_LOWER: Better
BETTER_HIGHER: Better
VERDICT_UNSPECIFIED: Verdict
VERDICT_UNKNOWN: Verdict
VERDICT_BETTER: Verdict
VERDICT_WORSE: Verdict
VERDICT_SAME: Verdict
THRESHOLD_OUTCOME_UNSPECIFIED: ThresholdOutcome
THRESHOLD_OUTCOME_WITHIN: ThresholdOutcome
THRESHOLD_OUTCOME_EXCEEDED: ThresholdOutcome
THRESHOLD_OUTCOME_UNKNOWN: ThresholdOutcome

class RecordRunTestRequest(_message.Message):
    __slots__ = ("run_test_name",)
    RUN_TEST_NAME_FIELD_NUMBER: _ClassVar[int]
    run_test_name: str
    def __init__(self, run_test_name: _Optional[str] = ...) -> None: ...

class RecordRunTestResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RecordExecutionRequest(_message.Message):
    __slots__ = ("execution",)
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    execution: Execution
    def __init__(self, execution: _Optional[_Union[Execution, _Mapping]] = ...) -> None: ...

class RecordExecutionResponse(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class Execution(_message.Message):
    __slots__ = ("execution_id", "run_test_name", "status", "start_time", "end_time", "total_calls", "completed_calls", "failed_calls")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_TEST_NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CALLS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILED_CALLS_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run_test_name: str
    status: ExecutionStatus
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    total_calls: int
    completed_calls: int
    failed_calls: int
    def __init__(self, execution_id: _Optional[str] = ..., run_test_name: _Optional[str] = ..., status: _Optional[_Union[ExecutionStatus, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total_calls: _Optional[int] = ..., completed_calls: _Optional[int] = ..., failed_calls: _Optional[int] = ...) -> None: ...

class RecordCallsRequest(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ...) -> None: ...

class RecordCallsResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...

class StreamCallsRequest(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ...) -> None: ...

class StreamCallsResponse(_message.Message):
    __slots__ = ("sequence", "recorded", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    recorded: int
    error: _status_pb2.Status
    def __init__(self, sequence: _Optional[int] = ..., recorded: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("call_execution_id", "execution_id", "status", "duration_seconds", "latency", "cost", "conversation", "chat_metrics")
    CALL_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    CHAT_METRICS_FIELD_NUMBER: _ClassVar[int]
    call_execution_id: str
    execution_id: str
    status: CallStatus
    duration_seconds: float
    latency: CallLatency
    cost: CallCost
    conversation: CallConversation
    chat_metrics: CallChatMetrics
    def __init__(self, call_execution_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., status: _Optional[_Union[CallStatus, str]] = ..., duration_seconds: _Optional[float] = ..., latency: _Optional[_Union[CallLatency, _Mapping]] = ..., cost: _Optional[_Union[CallCost, _Mapping]] = ..., conversation: _Optional[_Union[CallConversation, _Mapping]] = ..., chat_metrics: _Optional[_Union[CallChatMetrics, _Mapping]] = ...) -> None: ...

class CallLatency(_message.Message):
    __slots__ = ("avg_agent_latency_ms", "response_time_ms", "customer_latency_metrics")
    AVG_AGENT_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_LATENCY_METRICS_FIELD_NUMBER: _ClassVar[int]
    avg_agent_latency_ms: float
    response_time_ms: float
    customer_latency_metrics: _struct_pb2.Struct
    def __init__(self, avg_agent_latency_ms: _Optional[float] = ..., response_time_ms: _Optional[float] = ..., customer_latency_metrics: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class CallCost(_message.Message):
    __slots__ = ("total_cost_cents", "stt_cost_cents", "llm_cost_cents", "tts_cost_cents", "customer_cost_breakdown")
    TOTAL_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    STT_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    LLM_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    TTS_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_COST_BREAKDOWN_FIELD_NUMBER: _ClassVar[int]
    total_cost_cents: float
    stt_cost_cents: float
    llm_cost_cents: float
    tts_cost_cents: float
    customer_cost_breakdown: _struct_pb2.Struct
    def __init__(self, total_cost_cents: _Optional[float] = ..., stt_cost_cents: _Optional[float] = ..., llm_cost_cents: _Optional[float] = ..., tts_cost_cents: _Optional[float] = ..., customer_cost_breakdown: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class CallConversation(_message.Message):
    __slots__ = ("user_wpm", "bot_wpm", "talk_ratio", "user_interruption_count", "user_interruption_rate", "ai_interruption_count", "ai_interruption_rate", "avg_stop_time_after_interruption_ms")
    USER_WPM_FIELD_NUMBER: _ClassVar[int]
    BOT_WPM_FIELD_NUMBER: _ClassVar[int]
    TALK_RATIO_FIELD_NUMBER: _ClassVar[int]
    USER_INTERRUPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    USER_INTERRUPTION_RATE_FIELD_NUMBER: _ClassVar[int]
    AI_INTERRUPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    AI_INTERRUPTION_RATE_FIELD_NUMBER: _ClassVar[int]
    AVG_STOP_TIME_AFTER_INTERRUPTION_MS_FIELD_NUMBER: _ClassVar[int]
    user_wpm: float
    bot_wpm: float
    talk_ratio: float
    user_interruption_count: float
    user_interruption_rate: float
    ai_interruption_count: float
    ai_interruption_rate: float
    avg_stop_time_after_interruption_ms: float
    def __init__(self, user_wpm: _Optional[float] = ..., bot_wpm: _Optional[float] = ..., talk_ratio: _Optional[float] = ..., user_interruption_count: _Optional[float] = ..., user_interruption_rate: _Optional[float] = ..., ai_interruption_count: _Optional[float] = ..., ai_interruption_rate: _Optional[float] = ..., avg_stop_time_after_interruption_ms: _Optional[float] = ...) -> None: ...

class CallChatMetrics(_message.Message):
    __slots__ = ("input_tokens", "total_tokens", "output_tokens", "message_count", "turn_count", "avg_latency_ms", "csat_score")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TURN_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVG_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    CSAT_SCORE_FIELD_NUMBER: _ClassVar[int]
    input_tokens: float
    total_tokens: float
    output_tokens: float
    message_count: float
    turn_count: float
    avg_latency_ms: float
    csat_score: float
    def __init__(self, input_tokens: _Optional[float] = ..., total_tokens: _Optional[float] = ..., output_tokens: _Optional[float] = ..., message_count: _Optional[float] = ..., turn_count: _Optional[float] = ..., avg_latency_ms: _Optional[float] = ..., csat_score: _Optional[float] = ...) -> None: ...

class GetCallMetricsRequest(_message.Message):
    __slots__ = ("call_execution_id",)
    CALL_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    call_execution_id: str
    def __init__(self, call_execution_id: _Optional[str] = ...) -> None: ...

class GetCallMetricsResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: Call
    def __init__(self, call: _Optional[_Union[Call, _Mapping]] = ...) -> None: ...

class GetExecutionMetricsRequest(_message.Message):
    __slots__ = ("execution_id", "percentiles")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PERCENTILES_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    percentiles: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, execution_id: _Optional[str] = ..., percentiles: _Optional[_Iterable[float]] = ...) -> None: ...

class GetExecutionMetricsResponse(_message.Message):
    __slots__ = ("execution",)
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    execution: ExecutionMetrics
    def __init__(self, execution: _Optional[_Union[ExecutionMetrics, _Mapping]] = ...) -> None: ...

class ExecutionMetrics(_message.Message):
    __slots__ = ("execution_id", "run_test_name", "status", "start_time", "end_time", "total_calls", "completed_calls", "failed_calls", "latency", "cost", "conversation", "chat", "calls")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_TEST_NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CALLS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILED_CALLS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run_test_name: str
    status: ExecutionStatus
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    total_calls: int
    completed_calls: int
    failed_calls: int
    latency: LatencyMetrics
    cost: CostMetrics
    conversation: ConversationMetrics
    chat: ChatMetrics
    calls: CallCounts
    def __init__(self, execution_id: _Optional[str] = ..., run_test_name: _Optional[str] = ..., status: _Optional[_Union[ExecutionStatus, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total_calls: _Optional[int] = ..., completed_calls: _Optional[int] = ..., failed_calls: _Optional[int] = ..., latency: _Optional[_Union[LatencyMetrics, _Mapping]] = ..., cost: _Optional[_Union[CostMetrics, _Mapping]] = ..., conversation: _Optional[_Union[ConversationMetrics, _Mapping]] = ..., chat: _Optional[_Union[ChatMetrics, _Mapping]] = ..., calls: _Optional[_Union[CallCounts, _Mapping]] = ...) -> None: ...

class Mean(_message.Message):
    __slots__ = ("value", "samples")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    value: float
    samples: int
    def __init__(self, value: _Optional[float] = ..., samples: _Optional[int] = ...) -> None: ...

class Sum(_message.Message):
    __slots__ = ("value", "samples")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    value: float
    samples: int
    def __init__(self, value: _Optional[float] = ..., samples: _Optional[int] = ...) -> None: ...

class Percentile(_message.Message):
    __slots__ = ("percentile", "value")
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    percentile: float
    value: float
    def __init__(self, percentile: _Optional[float] = ..., value: _Optional[float] = ...) -> None: ...

class LatencyMetrics(_message.Message):
    __slots__ = ("avg_agent_latency_ms", "avg_response_time_ms", "percentiles")
    AVG_AGENT_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    AVG_RESPONSE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    PERCENTILES_FIELD_NUMBER: _ClassVar[int]
    avg_agent_latency_ms: Mean
    avg_response_time_ms: Mean
    percentiles: _containers.RepeatedCompositeFieldContainer[Percentile]
    def __init__(self, avg_agent_latency_ms: _Optional[_Union[Mean, _Mapping]] = ..., avg_response_time_ms: _Optional[_Union[Mean, _Mapping]] = ..., percentiles: _Optional[_Iterable[_Union[Percentile, _Mapping]]] = ...) -> None: ...

class CostMetrics(_message.Message):
    __slots__ = ("total_duration_seconds", "total_cost_cents", "stt_cost_cents", "llm_cost_cents", "tts_cost_cents")
    TOTAL_DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    STT_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    LLM_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    TTS_COST_CENTS_FIELD_NUMBER: _ClassVar[int]
    total_duration_seconds: Sum
    total_cost_cents: Sum
    stt_cost_cents: Sum
    llm_cost_cents: Sum
    tts_cost_cents: Sum
    def __init__(self, total_duration_seconds: _Optional[_Union[Sum, _Mapping]] = ..., total_cost_cents: _Optional[_Union[Sum, _Mapping]] = ..., stt_cost_cents: _Optional[_Union[Sum, _Mapping]] = ..., llm_cost_cents: _Optional[_Union[Sum, _Mapping]] = ..., tts_cost_cents: _Optional[_Union[Sum, _Mapping]] = ...) -> None: ...

class ConversationMetrics(_message.Message):
    __slots__ = ("avg_user_wpm", "avg_bot_wpm", "avg_talk_ratio", "avg_user_interruption_rate", "avg_ai_interruption_rate", "avg_stop_time_after_interruption_ms")
    AVG_USER_WPM_FIELD_NUMBER: _ClassVar[int]
    AVG_BOT_WPM_FIELD_NUMBER: _ClassVar[int]
    AVG_TALK_RATIO_FIELD_NUMBER: _ClassVar[int]
    AVG_USER_INTERRUPTION_RATE_FIELD_NUMBER: _ClassVar[int]
    AVG_AI_INTERRUPTION_RATE_FIELD_NUMBER: _ClassVar[int]
    AVG_STOP_TIME_AFTER_INTERRUPTION_MS_FIELD_NUMBER: _ClassVar[int]
    avg_user_wpm: Mean
    avg_bot_wpm: Mean
    avg_talk_ratio: Mean
    avg_user_interruption_rate: Mean
    avg_ai_interruption_rate: Mean
    avg_stop_time_after_interruption_ms: Mean
    def __init__(self, avg_user_wpm: _Optional[_Union[Mean, _Mapping]] = ..., avg_bot_wpm: _Optional[_Union[Mean, _Mapping]] = ..., avg_talk_ratio: _Optional[_Union[Mean, _Mapping]] = ..., avg_user_interruption_rate: _Optional[_Union[Mean, _Mapping]] = ..., avg_ai_interruption_rate: _Optional[_Union[Mean, _Mapping]] = ..., avg_stop_time_after_interruption_ms: _Optional[_Union[Mean, _Mapping]] = ...) -> None: ...

class ChatMetrics(_message.Message):
    __slots__ = ("avg_total_tokens", "avg_input_tokens", "avg_output_tokens", "avg_chat_latency_ms", "avg_turn_count", "avg_csat_score")
    AVG_TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    AVG_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    AVG_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    AVG_CHAT_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    AVG_TURN_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVG_CSAT_SCORE_FIELD_NUMBER: _ClassVar[int]
    avg_total_tokens: Mean
    avg_input_tokens: Mean
    avg_output_tokens: Mean
    avg_chat_latency_ms: Mean
    avg_turn_count: Mean
    avg_csat_score: Mean
    def __init__(self, avg_total_tokens: _Optional[_Union[Mean, _Mapping]] = ..., avg_input_tokens: _Optional[_Union[Mean, _Mapping]] = ..., avg_output_tokens: _Optional[_Union[Mean, _Mapping]] = ..., avg_chat_latency_ms: _Optional[_Union[Mean, _Mapping]] = ..., avg_turn_count: _Optional[_Union[Mean, _Mapping]] = ..., avg_csat_score: _Optional[_Union[Mean, _Mapping]] = ...) -> None: ...

class CallCounts(_message.Message):
    __slots__ = ("total", "completed", "failed", "pending", "registered", "ongoing", "analyzing", "cancelled")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    ONGOING_FIELD_NUMBER: _ClassVar[int]
    ANALYZING_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    total: int
    completed: int
    failed: int
    pending: int
    registered: int
    ongoing: int
    analyzing: int
    cancelled: int
    def __init__(self, total: _Optional[int] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., pending: _Optional[int] = ..., registered: _Optional[int] = ..., ongoing: _Optional[int] = ..., analyzing: _Optional[int] = ..., cancelled: _Optional[int] = ...) -> None: ...

class ListExecutionMetricsRequest(_message.Message):
    __slots__ = ("run_test_name", "page_size", "page_token", "percentiles")
    RUN_TEST_NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PERCENTILES_FIELD_NUMBER: _ClassVar[int]
    run_test_name: str
    page_size: int
    page_token: str
    percentiles: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, run_test_name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., percentiles: _Optional[_Iterable[float]] = ...) -> None: ...

class ListExecutionMetricsResponse(_message.Message):
    __slots__ = ("executions", "next_page_token", "total_size")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[ExecutionMetrics]
    next_page_token: str
    total_size: int
    def __init__(self, executions: _Optional[_Iterable[_Union[ExecutionMetrics, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ...) -> None: ...

class ListRunTestsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunTestsResponse(_message.Message):
    __slots__ = ("run_tests", "next_page_token")
    RUN_TESTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    run_tests: _containers.RepeatedCompositeFieldContainer[RunTest]
    next_page_token: str
    def __init__(self, run_tests: _Optional[_Iterable[_Union[RunTest, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RunTest(_message.Message):
    __slots__ = ("run_test_name", "execution_count", "last_start_time")
    RUN_TEST_NAME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_START_TIME_FIELD_NUMBER: _ClassVar[int]
    run_test_name: str
    execution_count: int
    last_start_time: _timestamp_pb2.Timestamp
    def __init__(self, run_test_name: _Optional[str] = ..., execution_count: _Optional[int] = ..., last_start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeleteExecutionRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class DeleteExecutionResponse(_message.Message):
    __slots__ = ("deleted_calls",)
    DELETED_CALLS_FIELD_NUMBER: _ClassVar[int]
    deleted_calls: int
    def __init__(self, deleted_calls: _Optional[int] = ...) -> None: ...

class CompareExecutionsRequest(_message.Message):
    __slots__ = ("baseline_execution_id", "execution_id", "thresholds")
    BASELINE_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    baseline_execution_id: str
    execution_id: str
    thresholds: _containers.RepeatedCompositeFieldContainer[Threshold]
    def __init__(self, baseline_execution_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., thresholds: _Optional[_Iterable[_Union[Threshold, _Mapping]]] = ...) -> None: ...

class Threshold(_message.Message):
    __slots__ = ("metric", "max_change_percent", "max_change", "max_value", "min_change_percent", "min_change", "min_value")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    MAX_CHANGE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MAX_CHANGE_FIELD_NUMBER: _ClassVar[int]
    MAX_VALUE_FIELD_NUMBER: _ClassVar[int]
    MIN_CHANGE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    MIN_CHANGE_FIELD_NUMBER: _ClassVar[int]
    MIN_VALUE_FIELD_NUMBER: _ClassVar[int]
    metric: str
    max_change_percent: float
    max_change: float
    max_value: float
    min_change_percent: float
    min_change: float
    min_value: float
    def __init__(self, metric: _Optional[str] = ..., max_change_percent: _Optional[float] = ..., max_change: _Optional[float] = ..., max_value: _Optional[float] = ..., min_change_percent: _Optional[float] = ..., min_change: _Optional[float] = ..., min_value: _Optional[float] = ...) -> None: ...

class CompareExecutionsResponse(_message.Message):
    __slots__ = ("baseline", "candidate", "metrics", "thresholds")
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    baseline: ExecutionMetrics
    candidate: ExecutionMetrics
    metrics: _containers.RepeatedCompositeFieldContainer[ComparedMetric]
    thresholds: _containers.RepeatedCompositeFieldContainer[ThresholdResult]
    def __init__(self, baseline: _Optional[_Union[ExecutionMetrics, _Mapping]] = ..., candidate: _Optional[_Union[ExecutionMetrics, _Mapping]] = ..., metrics: _Optional[_Iterable[_Union[ComparedMetric, _Mapping]]] = ..., thresholds: _Optional[_Iterable[_Union[ThresholdResult, _Mapping]]] = ...) -> None: ...

class ComparedMetric(_message.Message):
    __slots__ = ("metric", "baseline", "candidate", "difference", "difference_percent", "better", "verdict")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_PERCENT_FIELD_NUMBER: _ClassVar[int]
    BETTER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    metric: str
    baseline: float
    candidate: float
    difference: float
    difference_percent: float
    better: Better
    verdict: Verdict
    def __init__(self, metric: _Optional[str] = ..., baseline: _Optional[float] = ..., candidate: _Optional[float] = ..., difference: _Optional[float] = ..., difference_percent: _Optional[float] = ..., better: _Optional[_Union[Better, str]] = ..., verdict: _Optional[_Union[Verdict, str]] = ...) -> None: ...

class ThresholdResult(_message.Message):
    __slots__ = ("threshold", "limit", "candidate", "outcome")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    threshold: Threshold
    limit: float
    candidate: float
    outcome: ThresholdOutcome
    def __init__(self, threshold: _Optional[_Union[Threshold, _Mapping]] = ..., limit: _Optional[float] = ..., candidate: _Optional[float] = ..., outcome: _Optional[_Union[ThresholdOutcome, str]] = ...) -> None: ...

class ExportCallsRequest(_message.Message):
    __slots__ = ("run_test_name", "execution_id", "resume_token")
    RUN_TEST_NAME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    run_test_name: str
    execution_id: str
    resume_token: str
    def __init__(self, run_test_name: _Optional[str] = ..., execution_id: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class ExportCallsResponse(_message.Message):
    __slots__ = ("calls", "resume_token", "progress")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    resume_token: str
    progress: float
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ..., resume_token: _Optional[str] = ..., progress: _Optional[float] = ...) -> None: ...
