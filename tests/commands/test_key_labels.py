"""The label of a key: what it is for."""

from __future__ import annotations

from pathlib import Path

from tests.commands.command import parsed, try_vumeter, vumeter


def test_the_label_of_a_key_is_printed_listed_changed_and_kept_by_its_successor(
    tmp_path: Path,
) -> None:
    db = tmp_path / "vumeter.db"
    key = parsed(
        vumeter(
            *("keys", "create", "--create", "--organization", "acme", "--role", "member"),
            *("--label", "Booking agent", "--format", "json"),
            db=db,
        )
    )
    assert key["label"] == "Booking agent"
    rotated = parsed(vumeter("keys", "rotate", key["key_id"], "--format", "json", db=db))
    assert rotated["label"] == "Booking agent"
    assert vumeter("keys", "label", key["key_id"], "old – agent", db=db) == (
        f"{key['key_id']} is labeled old – agent\n"
    )
    header, *rows = vumeter("keys", "list", db=db).splitlines()
    assert header.split("\t")[-1] == "label"
    assert [row.split("\t")[-1] for row in rows] == ["old – agent", "Booking agent"]
    assert vumeter("keys", "label", key["key_id"], db=db) == f"{key['key_id']} has no label\n"
    listed = parsed(vumeter("keys", "list", "--format", "json", db=db))
    assert {each["key_id"]: each["label"] for each in listed} == {
        key["key_id"]: None,
        rotated["key_id"]: "Booking agent",
    }
    run = try_vumeter("keys", "label", "vmk_aaaaaaaaaaaaaaaaaaaa", "x", db=db)
    assert (run.returncode, run.stderr) == (
        2,
        "vumeter: there is no key vmk_aaaaaaaaaaaaaaaaaaaa\n",
    )
    run = try_vumeter("keys", "label", key["key_id"], "", db=db)
    assert (run.returncode, run.stderr) == (
        2,
        "vumeter keys label: Invalid value for '[LABEL]': must have 1 to 100 characters and no"
        " control characters\n",
    )
