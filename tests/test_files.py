from __future__ import annotations

import gzip

import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.cleaning import clean_events
from recsys_interest.files import read_table, write_table, written_whole

ENDINGS = ["csv", "csv.gz", "jsonl", "jsonl.gz", "ndjson", "parquet"]


def table():
    return pd.DataFrame(
        {
            "user_id": ["007", "NA", "7"],
            "item_id": ["a,b", 'quote "x"', "line\nbreak"],
            "timestamp": pd.to_datetime(["2026-01-05 10:00:00.123456"] * 3, utc=True),
            "event": ["rate", "like", "browse"],
            "value": [4.5, None, None],
            "text": ["好 😀", "null", ""],
        }
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_log_survives_the_disk(tmp_path, ending):
    path = write_table(table(), tmp_path / f"events.{ending}")
    log = clean_events(read_table(path), now="2026-02-01")
    assert log.rejected.empty
    expected = clean_events(table(), now="2026-02-01").events
    pd.testing.assert_frame_equal(log.events, expected)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_encodings_are_named_and_read(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes("item_id,title\n1,Misérables\n".encode("latin-1"))
    with pytest.raises(SchemaError, match=r"items.csv is not utf-8: byte 0xe9 .* latin-1"):
        read_table(path)
    assert read_table(path, encoding="latin-1").loc[0, "title"] == "Misérables"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", b'a,b\n1,2\n1,2,3\n"'),
        ("x.jsonl", b'{"a": 1}\n{"a": '),
        ("x.parquet", b"PAR1 not really"),
        ("x.csv.gz", b"not gzip"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20]),
    ],
)
def test_broken_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SchemaError, match=rf"{name} cannot be read as"):
        read_table(tmp_path / name)


def test_missing_files_and_unknown_endings_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.csv"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(SchemaError, match=r"x\.xlsx: unknown ending; use \.csv"):
        write_table(table(), tmp_path / "x.xlsx")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), written_whole(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,item_id,timestamp,value\nu1,a,2026-01-01,5,\n", "cannot be read as csv"),
        ("user_id,item_id\nu,a\nu,a,b\n", "line 3"),
        ("user_id,user_id,item_id\nu,u,a\n", "the header has 'user_id' more than once"),
    ],
)
def test_rows_that_do_not_fit_the_header_are_refused(tmp_path, content, message):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(SchemaError, match=message):
        read_table(tmp_path / "x.csv")


@pytest.mark.parametrize("rest", ["", "u,a,oops\n"])
def test_a_time_means_the_same_whatever_the_other_rows_hold(tmp_path, rest):
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\nu,a,20260105\n" + rest)
    log = clean_events(read_table(tmp_path / "x.csv"), now="2027-01-01")
    assert log.events["timestamp"].tolist() == [pd.Timestamp("2026-01-05", tz="UTC")]


@pytest.mark.parametrize("ending", ENDINGS)
def test_carriage_returns_make_no_rows(tmp_path, ending):
    raw = table().assign(text=["x\ry", "\r\n", ""])
    path = write_table(raw, tmp_path / f"x.{ending}")
    log = clean_events(read_table(path), now="2027-01-01")
    assert sorted(log.events["text"]) == sorted(raw["text"])


def test_mixed_kinds_can_be_written_as_parquet(tmp_path):
    odd = pd.DataFrame({"value": [1, "many", None, {"a": 1}]}, dtype=object)
    path = write_table(odd, tmp_path / "x.parquet")
    assert read_table(path)["value"].tolist()[:2] == ["1", "many"]


def test_an_unknown_encoding_and_broken_xz_are_named(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(SchemaError, match="there is no encoding 'nope'"):
        read_table(tmp_path / "x.csv", encoding="nope")
    (tmp_path / "x.csv.xz").write_bytes(b"not xz")
    with pytest.raises(SchemaError, match="cannot be read as csv"):
        read_table(tmp_path / "x.csv.xz")
