from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor
OPERATION_FIELD_NUMBER: _ClassVar[int]
operation: _descriptor.FieldDescriptor

class Operation(_message.Message):
    __slots__ = ("request", "response", "errors")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    request: str
    response: str
    errors: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, request: _Optional[str] = ..., response: _Optional[str] = ..., errors: _Optional[_Iterable[int]] = ...) -> None: ...
