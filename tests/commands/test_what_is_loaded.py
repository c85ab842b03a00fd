"""What commands load: an export loads as long as it writes some hundred thousand points."""

from __future__ import annotations

import subprocess
import sys

ASKING = """
import sys
import vumeter_server.cli
import vumeter_server.commands.exports
import vumeter_server.commands.files.point_export
import vumeter_server.commands.remote
print(sorted({"numpy", "pandas", "pyarrow"} & set(sys.modules)))
"""
DIAGNOSING = """
import sys
import vumeter_server.commands.keys
import vumeter_server.commands.doctor
import vumeter_server.commands.diagnosis.cluster_checks
clickhouse = {"aiohttp", "clickhouse_connect", "pyarrow", "vumeter_server.clickhouse"}
print(sorted(clickhouse & set(sys.modules)))
"""
WRITING = """
import sys
from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.commands.files.formats import require_parquet
from vumeter_server.commands.files.point_table import PointTables
from vumeter_server.custom_metrics import wire
columns = pb.PointColumns(
    names=["booking"],
    types=[pb.METRIC_TYPE_COUNTER],
    name_indexes=[0, 0],
    values=[1, 2],
    times_us=[1_000_000, 2_000_000],
    label_sets=[pb.LabelSet(agent_id="agent_1", tags={"origin": "phone"}), pb.LabelSet()],
    label_set_indexes=[0, 1],
)
message = wire.EXPORTED.FromString(pb.ExportPointsResponse(columns=columns).SerializeToString())
pyarrow, _ = require_parquet()
print(len(PointTables().table(pyarrow, [message.columns])))
print(sorted({"numpy.ma", "pandas", "pyarrow.compute"} & set(sys.modules)))
"""


def printed_by(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_what_arrays_are_made_with_is_not_loaded_before_the_server_is_asked() -> None:
    assert printed_by(ASKING) == "[]\n"


def test_a_doctor_without_the_packages_of_clickhouse_can_say_so() -> None:
    assert printed_by(DIAGNOSING) == "[]\n"


def test_tables_of_points_load_only_what_they_need() -> None:
    assert printed_by(WRITING) == "2\n[]\n"
