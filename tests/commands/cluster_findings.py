"""What the doctor finds of a cluster, without the command and without the product."""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.commands.diagnosis.cluster_checks import check_cluster
from vumeter_server.commands.diagnosis.finding import Finding, FindingStatus
from vumeter_server.runtime.clock import Clock, system_clock
from vumeter_server.runtime.store_address import ClickHouseAddress


def examined(address: ClickHouseAddress, clock: Clock = system_clock) -> list[Finding]:
    """Return all that is found; what is wrong has advice."""
    findings = list(check_cluster(address, clock))
    for each in findings:
        assert (not each.advice) == (each.status is FindingStatus.OK), each
    return findings


def wrong(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """Return check, status and text of what is not ok."""
    return [
        (each.check, each.status.value, each.found)
        for each in findings
        if each.status is not FindingStatus.OK
    ]
