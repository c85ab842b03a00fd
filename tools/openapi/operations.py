"""Operations of the OpenAPI document, each made of a method at one of its paths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.api.field_behavior_pb2 import REQUIRED
from google.protobuf.descriptor import FieldDescriptor
from tools.openapi.examples import OK, Example, examples_of
from tools.openapi.messages import answer_schema
from tools.openapi.protos import HTTP_BODY, Binding, Protos

Json = dict[str, Any]

_ALWAYS: Final = (400, 408, 429, 431, 500, 503, 504)
_WITH_BODY: Final = (413, 415)
_RETRYABLE: Final = (429, 503)
_UNSUPPORTED: Final = 415
_JSON: Final = "application/json"
_CREDENTIALS: Final[Mapping[str, Sequence[Sequence[str]]]] = {
    "PUBLIC": (),
    "BEARER": (("key",),),
    "BEARER_OR_BASIC": (("key",), ("keyAsPassword",)),
    "KEY_PAIR": (("keyId", "keySecret"),),
    "LIVE": (("adminToken",), ("key",)),
}
# No key, so that it has no role.
_WITHOUT_ROLE: Final = "adminToken"
# Up to a parenthesis, a colon or a full stop that is not in code.
_SENTENCE: Final = re.compile(r"(?:`[^`]*`|(?! \(|[.:;](?: |$)).)+")
_LONGEST_SUMMARY: Final = 140


class Operations:
    """Builds operations."""

    def __init__(
        self,
        *,
        protos: Protos,
        access: Mapping[str, Any],
        errors: Mapping[str, str],
        schemas: Json,
        examples: Sequence[Example],
    ) -> None:
        """`schemas` gets those of the messages that are answered."""
        self._protos = protos
        self._access = access
        self._errors = errors
        self._schemas = schemas
        self._examples = examples
        self._shared: set[int] = set()

    def responses(self) -> Json:
        """Return the errors that operations refer to, and the redirect."""
        found: Json = {
            "302": {
                "description": "Go to the page.",
                "headers": {
                    "x-request-id": _header("RequestId"),
                    "location": _header("Location"),
                },
            }
        }
        return found | {str(each): self._error(each, {}, []) for each in sorted(self._shared)}

    def build(self, binding: Binding, source: Json, *, path: str, name: str, tag: Json) -> Json:
        """Return the operation of a method at a path, by the parameters and bodies of `source`."""
        shown = examples_of(self._examples, binding.verb, binding.path)
        access = self._access[binding.method.full_name]
        operation: Json = {
            "operationId": name,
            "tags": [tag["name"]],
            "summary": _summary(binding.comment),
            "description": binding.comment,
            "security": self._security(access),
        }
        parameters = [
            self._parameter(field, binding, source, shown) for field in binding.parameters
        ]
        if parameters:
            operation["parameters"] = parameters
        bodies = source.get("bodies", {})
        if binding.request:
            content = self._content(binding.request, bodies)
            given = {e.name: e.as_object(e.body) for e, _ in shown if e.status == OK}
            if given:
                content[_JSON]["examples"] = given
            # Nothing is a message in protobuf too.
            required = not source.get("optional_bodies", False)
            operation["requestBody"] = {"required": required, "content": content}
        operation["responses"] = {
            "200": self._success(binding, bodies, tag, shown),
            **self._error_responses(binding, access, source, shown),
        }
        return operation

    def _security(self, access: Any) -> list[Json]:
        roles = sorted(access.roles)
        return [
            {name: [] if name == _WITHOUT_ROLE else roles for name in schemes}
            for schemes in _CREDENTIALS[access.scheme.name]
            if roles or _WITHOUT_ROLE in schemes
        ]

    def _parameter(
        self,
        field: FieldDescriptor,
        binding: Binding,
        source: Json,
        shown: Sequence[tuple[Example, Mapping[str, str]]],
    ) -> Json:
        name = field.json_name
        known = source["parameters"]
        how = known.get(f"{binding.method.name}.{name}") or known[name]
        is_in_path = f"{{{name}}}" in binding.path
        said = self._protos.comment(field.full_name)
        given = [values[name] for each, values in shown if each.status == OK and values.get(name)]
        parameter: Json = {
            "name": name,
            "in": "path" if is_in_path else "query",
            "required": is_in_path or REQUIRED in self._protos.behaviors(field),
            "description": re.sub(r"^Required(, in the path(?=[.;]))?[.;] ?", "", said),
        }
        if "content" in how:
            content = json.loads(json.dumps(how["content"]))
            if given:
                content[_JSON]["example"] = json.loads(given[0])
            return {**parameter, "content": content}
        parameter["schema"] = how
        if given:
            is_number = "integer" in json.dumps(how)
            parameter["example"] = int(given[0]) if is_number else given[0]
        return parameter

    def _content(self, name: str, bodies: Json) -> Json:
        if name in bodies:
            copied: Json = json.loads(json.dumps(bodies[name]))
            return copied
        if name not in self._schemas:
            raise SystemExit(f"openapi/: there is no body and no schema {name}")
        return {_JSON: {"schema": _schema(name)}}

    def _success(
        self,
        binding: Binding,
        bodies: Json,
        tag: Json,
        shown: Sequence[tuple[Example, Mapping[str, str]]],
    ) -> Json:
        if binding.response:
            content = self._content(binding.response, bodies)
        else:
            assert binding.method.output_type.full_name != HTTP_BODY, binding.method.full_name
            name = answer_schema(binding.method.output_type, self._protos, self._schemas)
            content = {_JSON: {"schema": _schema(name)}}
        given = {e.name: e.as_object(e.answer) for e, _ in shown if e.status == OK}
        if given:
            content[_JSON]["examples"] = given
        return {
            "description": "The answer.",
            "headers": {"x-request-id": _header("RequestId"), **tag.get("headers", {})},
            "content": content,
        }

    def _error_responses(
        self,
        binding: Binding,
        access: Any,
        source: Json,
        shown: Sequence[tuple[Example, Mapping[str, str]]],
    ) -> Json:
        statuses = {*_ALWAYS, *binding.errors}
        if binding.request:
            statuses.update(_WITH_BODY)
        if access.scheme.name != "PUBLIC":
            statuses.update((401, 403))
        found: Json = {}
        for status in sorted(statuses):
            given = [example for example, _ in shown if example.status == status]
            others = source.get("errors", {})
            if given or others:
                found[str(status)] = self._error(status, others, given)
            else:
                found[str(status)] = {"$ref": f"#/components/responses/{status}"}
                self._shared.add(status)
        return found

    def _error(self, status: int, others: Json, given: Sequence[Example]) -> Json:
        headers = {"x-request-id": _header("RequestId")}
        if status in _RETRYABLE:
            headers["retry-after"] = _header("RetryAfter")
        if status == _UNSUPPORTED:
            headers["accept-encoding"] = _header("AcceptEncoding")
        content: Json = {_JSON: {"schema": _schema("Error")}}
        if given:
            content[_JSON]["examples"] = {e.name: e.as_object(e.answer) for e in given}
        return {
            "description": self._errors[str(status)],
            "headers": headers,
            "content": {**content, **others},
        }


def lower_camel(name: str) -> str:
    """Return `dashboard_GetPage` as `dashboardGetPage`.

    >>> lower_camel("GetNames")
    'getNames'
    """
    first, *others = name.split("_")
    return first[0].lower() + first[1:] + "".join(each[0].upper() + each[1:] for each in others)


def _summary(comment: str) -> str:
    """Return the beginning of the first sentence."""
    paragraph = " ".join(comment.partition("\n\n")[0].split())
    sentence = _SENTENCE.match(paragraph)
    found = sentence[0] if sentence else paragraph
    while len(found) >= _LONGEST_SUMMARY and ", " in found:
        found = found.rpartition(", ")[0]
    return f"{found}.".replace("`", "")


def _schema(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}
