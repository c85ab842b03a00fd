"""Query parameters of REST requests that no method knows: rejected by name.

The transcoder could reject them too, but its text names a protobuf type and no field. So it ignores
them, and here the path is looked at as the caller wrote it.
"""

from __future__ import annotations

from urllib.parse import unquote_plus

from google.protobuf.descriptor import MethodDescriptor

from vumeter_server.api.credentials import Metadata
from vumeter_server.errors import InvalidArgument, Violation

ORIGINAL_PATH = "x-envoy-original-path"


class QueryParameters:
    """The parameters that one method knows."""

    def __init__(self, method: MethodDescriptor) -> None:
        self._known = frozenset(
            name
            for field in method.input_type.fields
            if field.message_type is None
            for name in (field.name, field.json_name)
        )

    def check(self, metadata: Metadata) -> None:
        """Raise InvalidArgument if the path of a REST request has parameters that are not known."""
        path = metadata.get(ORIGINAL_PATH)
        if not isinstance(path, str):
            return
        _, _, query = path.partition("?")
        if not query:
            return
        names = [
            unquote_plus(each.partition("=")[0], errors="replace")
            for each in query.split("&")
            if each
        ]
        unknown = dict.fromkeys(name for name in names if name not in self._known)
        if unknown:
            raise InvalidArgument(
                violations=[
                    Violation(field=name, problem="is not a known parameter", as_sent=True)
                    for name in unknown
                ]
            )
