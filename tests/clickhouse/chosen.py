"""Which tests of ClickHouse `make test` runs; the long targets run all of them.

A statement of ClickHouse takes milliseconds, and to make a database on three nodes takes a second
and more. So `make test` runs a part of each suite on a cluster, which is chosen here and nowhere
else: what writes most of its family, what more than one node decides, and what callers see.
"""

from __future__ import annotations

import re
from typing import Final

CLUSTER_ID: Final = "clickhouse cluster"
"""The id of a parameter for which a test runs on a cluster of three nodes."""

# A file, a function of one, or one set of its parameters: the id without CLUSTER_ID.
CHOSEN_ON_CLUSTER: Final = (
    # The contract of each family: what several servers must agree on, what a server that starts
    # again finds, what storage does not take, and a few random runs beside the oracle.
    "tests/conformance/access/test_keys.py::test_every_process_sees_a_change_at_once",
    "tests/conformance/access/test_keys.py::test_a_deleted_organization_is_gone_with_its_keys_and_its_name_is_free",
    "tests/conformance/access/test_limits.py::test_a_change_is_found_with_every_key_of_the_organization_alone",
    "tests/conformance/access/test_sequences.py::test_any_sequence_gives_the_results_of_the_store_in_memory",
    "tests/conformance/access/test_sign_in.py::test_of_many_at_the_same_time_in_two_processes_one_gets_keys",
    "tests/conformance/administration/test_administration.py::test_an_organization_is_deleted_until_nothing_is_left",
    "tests/conformance/custom_metrics/test_deletion.py::test_two_open_stores_see_a_deletion_at_once",
    "tests/conformance/custom_metrics/test_failures.py::test_a_batch_that_storage_cannot_take_is_unavailable_and_leaves_nothing",
    "tests/conformance/custom_metrics/test_random.py::test_every_answer_is_the_oracles",
    "tests/conformance/custom_metrics/test_recording.py",
    "tests/conformance/live_metrics/test_contract.py::test_a_repeat_is_harmless_and_other_content_under_its_id_is_a_conflict",
    "tests/conformance/live_metrics/test_contract.py::test_records_at_the_same_time_leave_the_view_equal_to_what_is_stored",
    "tests/conformance/live_metrics/test_contract.py::test_totals_restart_with_a_launch_and_lists_survive_it",
    "tests/conformance/live_metrics/test_events.py",
    "tests/conformance/simulation/test_recording.py::test_another_organization_sees_and_changes_nothing",
    "tests/conformance/simulation/test_recording.py::test_everything_is_there_when_the_store_is_opened_again",
    "tests/otlp/test_clickhouse.py::test_a_series_that_reaches_several_servers_is_counted_once",
    "tests/otlp/test_clickhouse.py::test_what_exporters_sent_becomes_the_same_as_in_sqlite",
    # From a file to a cluster, and back.
    "tests/store_migration/test_copying.py::test_everything_answers_as_before_there_and_back",
    # What callers see through Envoy: the documented cases and examples, each method for another
    # organization, roles, repeats, and events in any order.
    "tests/end_to_end/test_cases.py",
    "tests/end_to_end/test_errors.py::test_a_query_that_takes_too_long_is_504_and_recording_is_not_held_to_that",
    "tests/end_to_end/test_examples.py::test_a_path_answers_as_documented",
    "tests/end_to_end/test_idempotency.py",
    "tests/end_to_end/test_isolation.py::test_another_organization_sees_nothing_and_changes_nothing",
    "tests/end_to_end/test_isolation.py::test_the_owner_does_see_what_it_recorded",
    "tests/end_to_end/test_old_events.py::test_in_every_order_and_by_every_way_the_totals_are_the_same",
    "tests/end_to_end/test_roles.py::test_a_member_records_and_only_admins_and_owners_query",
    "tests/end_to_end/test_roles.py::test_a_revoked_key_is_refused_within_a_second_on_both_apis",
    "tests/end_to_end/test_roles.py::test_only_an_owner_deletes",
    "tests/live_metrics/test_examples.py::test_the_answer_is_that_of_the_example",
    "tests/simulation/test_examples.py::test_the_answer_is_that_of_the_example",
)
# Of what is left to a cluster otherwise.
CHOSEN_IN_PROCESS: Final = (
    "tests/conformance/simulation/test_deletion.py",
    "tests/conformance/simulation/test_recording.py::test_another_organization_sees_and_changes_nothing",
    "tests/conformance/simulation/test_recording.py::test_everything_is_there_when_the_store_is_opened_again",
    "tests/conformance/simulation/test_sequences.py",
    "tests/otlp/test_clickhouse.py",
)
_ON_CLUSTER_ALONE: Final = (
    "tests/clickhouse/test_callers_of_failures.py",
    "tests/clickhouse/test_cancelled_calls.py",
    "tests/clickhouse/test_commands_on_cluster.py",
    "tests/clickhouse/test_doctor_on_cluster.py",
    "tests/clickhouse/test_demo_on_cluster.py",
    "tests/clickhouse/test_hung_nodes.py",
    "tests/clickhouse/test_servers.py",
    "tests/clickhouse/test_live_races.py",
    "tests/clickhouse/test_live_servers.py",
    "tests/clickhouse/test_two_machines.py",
    "tests/store_migration/test_clickhouse_cluster.py",
)
_LEFT_TO_CLUSTER: Final = (
    *_ON_CLUSTER_ALONE,
    "tests/conformance/live_metrics/test_failures.py",
    "tests/conformance/simulation/",
    "tests/custom_metrics/clickhouse/",
    "tests/otlp/test_clickhouse.py",
)


def is_left_to_cluster(nodeid: str) -> bool:
    """Whether `make test-cluster` and `make test-long` alone run a test."""
    if CLUSTER_ID in nodeid:
        return not _is_among(CHOSEN_ON_CLUSTER, nodeid)
    if "clickhouse" not in nodeid or _is_among(CHOSEN_IN_PROCESS, nodeid):
        return False
    function = nodeid.partition("[")[0]
    if function.startswith("tests/store_migration/test_copying.py"):
        return "there_and_back" not in function
    return nodeid.startswith(_LEFT_TO_CLUSTER) or "at_once" in function


def is_chosen(function: str) -> bool:
    """Whether a function, with some parameters at least, is chosen to run on a cluster."""
    path = function.partition("::")[0]
    return any(
        chosen == path or chosen.partition("[")[0] == function for chosen in CHOSEN_ON_CLUSTER
    )


def runs_on_cluster(nodeid: str) -> bool:
    """Whether a test needs the nodes, or ends them."""
    return nodeid.startswith("tests/clickhouse/") or CLUSTER_ID in nodeid


def _is_among(chosen: tuple[str, ...], nodeid: str) -> bool:
    asked = re.sub(rf"\[{CLUSTER_ID}\]|{CLUSTER_ID}-|-{CLUSTER_ID}", "", nodeid)
    path, function = nodeid.partition("::")[0], nodeid.partition("[")[0]
    return not {path, function, asked}.isdisjoint(chosen)
