"""What the oracle does with what is beyond the limits of an organization."""

from __future__ import annotations

from tests.conformance.custom_metrics.memory_data import Organization
from tests.conformance.custom_metrics.memory_usage import Label, labels_in_use

from vumeter_server.custom_metrics.model import Batch
from vumeter_server.errors import LimitExceeded, Violation
from vumeter_server.runtime.limits import Limits

OTHER = "__other__"
LabelSet = tuple[Label, ...]


def refuse_metrics(organization: Organization, batch: Batch, limits: Limits) -> None:
    """Raise for the first point of a metric that is beyond the limit."""
    metrics = {name for name, _, _ in organization.uses}
    for point, index in enumerate(batch.name_indexes.tolist()):
        name = batch.names[index]
        if name not in metrics and len(metrics) >= limits.metrics:
            field = f"points[{point}].name"
            problem = f"must not add to the limit of {limits.metrics:,} metrics: {name}"
            raise LimitExceeded(violations=[Violation(field=field, problem=problem)])
        metrics.add(name)


def label_sets_within(organization: Organization, batch: Batch, limits: Limits) -> list[LabelSet]:
    """Return as what each label set of a batch is recorded."""
    labels = labels_in_use(organization)
    known = set(organization.label_sets)
    recorded = []
    for given in batch.label_sets:
        label_set = tuple(_label_within(labels, label, limits) for label in given)
        form = _form_within(labels, known, label_set, limits)
        labels |= set(form)
        known.add(form)
        recorded.append(form)
    return recorded


def _label_within(labels: set[Label], label: Label, limits: Limits) -> Label:
    key, _ = label
    values = {value for of, value in labels if of == key and value != OTHER}
    return label if label in labels or len(values) < limits.label_values else (key, OTHER)


def _form_within(
    labels: set[Label], known: set[LabelSet], label_set: LabelSet, limits: Limits
) -> LabelSet:
    in_use = {each for each in known if labels.issuperset(each)}
    ids = ("agent_id", "environment_id")
    forms = (
        label_set,
        tuple((key, value if key in ids else OTHER) for key, value in label_set),
        tuple((key, OTHER) for key, _ in label_set),
    )
    for number, form in enumerate(forms):
        if form in in_use or len(in_use) < limits.label_sets + number * 1_000:
            return form
    raise LimitExceeded(f"An organization has at most {limits.label_sets:,} label sets")
