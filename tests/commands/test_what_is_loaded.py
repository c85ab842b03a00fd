"""What commands and servers load: exports load as long as they write some 100,000 points."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from vumeter_server.runtime.start_error import StartError
from vumeter_server.stores import packages
from vumeter_server.stores.packages import require_packages

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
SERVING = """
import asyncio, sys
from vumeter_server.app import running
from vumeter_server.runtime.settings import load_settings
settings = load_settings(
    db=sys.argv[1], grpc_port=0, admin_token="t" * 32, access_log=False, metrics_port="off"
)
async def serve():
    async with running(settings):
        pass
asyncio.run(serve())
import vumeter_server.stores.choosing
import vumeter_server.stores.on_sqlite
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


def printed_by(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_what_arrays_are_made_with_is_not_loaded_before_the_server_is_asked() -> None:
    assert printed_by(ASKING) == "[]\n"


def test_a_doctor_without_the_packages_of_clickhouse_can_say_so() -> None:
    assert printed_by(DIAGNOSING) == "[]\n"


def test_a_server_on_a_file_needs_no_package_of_clickhouse(tmp_path: Path) -> None:
    assert printed_by(SERVING, str(tmp_path / "a.db")).splitlines()[-1] == "[]"


@pytest.mark.parametrize("missing", ["clickhouse_connect", "aiohttp", "pyarrow"])
def test_whichever_package_is_missing_it_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    require_packages()
    monkeypatch.setattr(
        packages, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    with pytest.raises(StartError) as caught:
        require_packages()
    assert str(caught.value) == (
        "VUMETER_STORE: ClickHouse needs more packages: pip install 'vumeter[clickhouse]'"
    )


def test_tables_of_points_load_only_what_they_need() -> None:
    assert printed_by(WRITING) == "2\n[]\n"
