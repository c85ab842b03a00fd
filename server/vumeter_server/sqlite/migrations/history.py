"""The schema's history: each migration runs once, in order, in a transaction of its own."""

from sqlite_utils.migrations import Migrations

from vumeter_server.sqlite.migrations import (
    m0001_access,
    m0002_custom_metrics,
    m0003_live_metrics,
    m0004_simulation,
    m0005_metric_sums,
    m0006_demo,
    m0007_clock,
    m0008_roles,
    m0009_extremes,
    m0010_distributions,
    m0011_deletions,
    m0012_outcomes,
    m0013_tenant_of_key,
    m0014_otlp,
    m0020_limits,
    m0021_deletions,
    m0022_audit,
    m0023_sign_in,
    m0024_labels_and_starts,
)

_MODULES = (
    m0001_access,
    m0002_custom_metrics,
    m0003_live_metrics,
    m0004_simulation,
    m0005_metric_sums,
    m0006_demo,
    m0007_clock,
    m0008_roles,
    m0009_extremes,
    m0010_distributions,
    m0011_deletions,
    m0012_outcomes,
    m0013_tenant_of_key,
    m0014_otlp,
    m0020_limits,
    m0021_deletions,
    m0022_audit,
    m0023_sign_in,
    m0024_labels_and_starts,
)

NAMES = tuple(module.__name__.rpartition(".")[2] for module in _MODULES)
MIGRATIONS = Migrations("vumeter")
for _name, _module in zip(NAMES, _MODULES, strict=True):
    MIGRATIONS(name=_name)(_module.migrate)
