"""Which attribute becomes what: the one table of the mapping, and how it is applied.

| what | rule |
| --- | --- |
| agent, environment, session | the first key of its list with a value that is not empty, looked for in the point, then the scope, then the resource |
| dropped | keys of its list; the other keys of sessions; the scope's attributes |
| labels | the other attributes of the point; of the resource, keys of `kept` alone |

An item of a list is a key; at the end of one, `*` stands for anything. Each organization can have
lists of its own.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from vumeter_server.custom_metrics.label_sets import MAX_TAGS
from vumeter_server.custom_metrics.labels import MAX_ID
from vumeter_server.custom_metrics.model import LabelSet
from vumeter_server.otlp.attributes import Value, cut, joined, label_name, text_of

Attributes = Mapping[str, Value]

# What SDKs and LiveKit call a service that nobody named.
NO_AGENTS: Final = ("livekit-agents",)
NO_AGENT_PREFIX: Final = "unknown_service"
NOT_SIMULATED: Final = "lk.simulation.enabled"


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeMapping:
    """Lists of keys of attributes; the defaults are for OpenTelemetry's conventions and LiveKit.

    Attributes:
        agent, environment, session: where these are looked for, the most important first.
        kept: which attributes of the resource become labels.
        dropped: which attributes never become labels.
    """

    agent: tuple[str, ...] = ("lk.agent_name", "agent.id", "gen_ai.agent.id", "service.name")
    environment: tuple[str, ...] = ("deployment.environment.name", "deployment.environment")
    session: tuple[str, ...] = ("room_id", "session.id", "gen_ai.conversation.id")
    kept: tuple[str, ...] = ("service.version", "service.namespace")
    dropped: tuple[str, ...] = (
        "job_id",
        "service.instance.id",
        "telemetry.*",
        "process.*",
        "host.*",
        "os.*",
        "code.*",
        "thread.*",
        "lk.redaction.*",
    )


DEFAULT_MAPPING: Final = AttributeMapping()


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedLabels:
    """What the attributes of a point became.

    `cut_values` and `dropped_labels` say how many values were too long, and how many labels too
    many.
    """

    label_set: LabelSet
    session_id: str
    cut_values: int
    dropped_labels: int


@dataclass(kw_only=True, slots=True)
class _Labels:
    """Labels being collected."""

    values: dict[str, str] = field(default_factory=dict)
    cut_values: int = 0

    def text(self, value: str, longest: int) -> str:
        short = cut(value, longest)
        self.cut_values += short != value
        return short


def map_attributes(
    mapping: AttributeMapping, point: Attributes, scope: Attributes, resource: Attributes
) -> MappedLabels:
    """Return the labels and the session of a point."""
    places = (point, scope, resource)
    agent_key, agent = _first(mapping.agent, places, is_agent=True)
    environment_key, environment = _first(mapping.environment, places)
    _, session = _first(mapping.session, places)
    used = {agent_key, environment_key, *mapping.session}
    labels = _Labels()
    kept = {key: value for key, value in resource.items() if matches(key, mapping.kept)}
    names, of_resource = (_named(_texts(mapping, used, place)) for place in (point, kept))
    # What the point says has priority.
    chosen = sorted(names)[:MAX_TAGS]
    rest = sorted(of_resource.keys() - names.keys())
    dropped = len(names) - len(chosen) + max(0, len(chosen) + len(rest) - MAX_TAGS)
    names |= {name: of_resource[name] for name in rest}
    for name in (chosen + rest)[:MAX_TAGS]:
        labels.values[name] = labels.text(joined(names[name]), 256)
    if agent:
        labels.values["agent_id"] = labels.text(agent, MAX_ID)
    if environment:
        labels.values["environment_id"] = labels.text(environment, MAX_ID)
    return MappedLabels(
        label_set=tuple(sorted(labels.values.items())),
        session_id=labels.text(session, MAX_ID),
        cut_values=labels.cut_values,
        dropped_labels=dropped,
    )


def matches(key: str, items: Sequence[str]) -> bool:
    """Whether a key is one of these items."""
    keys, prefixes = _split(tuple(items))
    return key in keys or key.startswith(prefixes)


@lru_cache(maxsize=1_000)
def _split(items: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return keys, and what keys may begin with."""
    prefixes = tuple(item[:-1] for item in items if item.endswith("*"))
    return frozenset(item for item in items if not item.endswith("*")), prefixes


def _first(
    keys: Sequence[str], places: Sequence[Attributes], *, is_agent: bool = False
) -> tuple[str, str]:
    """Return the first key with a value, and the value; two empty texts if there is none."""
    for key in keys:
        for place in places:
            text = text_of(place.get(key))
            if text and not (is_agent and _names_no_agent(key, text)):
                return key, text
    return "", ""


def _names_no_agent(key: str, text: str) -> bool:
    return key == "service.name" and (text in NO_AGENTS or text.startswith(NO_AGENT_PREFIX))


def _texts(mapping: AttributeMapping, used: set[str], attributes: Attributes) -> dict[str, str]:
    """Return the texts of the attributes that become labels, by their keys."""
    texts = {}
    for key, value in attributes.items():
        if key in used or matches(key, mapping.dropped):
            continue
        text = text_of(value)
        if text and not (key == NOT_SIMULATED and text == "false"):
            texts[key] = text
    return texts


def _named(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the values of each label, in the order of the attributes' own keys."""
    named: dict[str, list[str]] = {}
    for key in sorted(texts):
        name = label_name(key)
        if name:
            named.setdefault(name, []).append(texts[key])
    return named
