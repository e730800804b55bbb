from __future__ import annotations

import gzip
import io
import tracemalloc
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.characters import detect_encoding, restore_text
from recsys_interest.checks import SchemaError
from recsys_interest.cleaning import clean_events
from recsys_interest.event_weights import EVENT_WEIGHTS
from recsys_interest.files import read_chunks, read_table, write_table, written_whole
from recsys_interest.schema import validate_events
from recsys_interest.times import parse_times

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


# Round trips

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
IDS = TEXT.filter(str.strip)
TIMES = st.datetimes(
    pd.Timestamp(1, 1, 2).to_pydatetime(), pd.Timestamp(9999, 12, 30).to_pydatetime()
)
ROWS = st.lists(
    st.tuples(
        IDS,
        IDS,
        st.sampled_from(sorted(EVENT_WEIGHTS)),
        TIMES,
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("ending", ["csv", "jsonl.gz", "parquet"])
@settings(deadline=None, max_examples=100)
@given(rows=ROWS)
def test_any_valid_log_survives_the_disk_unchanged(tmp_path_factory, ending, rows):
    columns = ["user_id", "item_id", "event", "timestamp", "value", "text"]
    raw = pd.DataFrame(rows, columns=columns)
    raw["timestamp"] = raw["timestamp"].astype("datetime64[us]")
    events = validate_events(raw.astype({"value": "float64"}))
    path = write_table(events, tmp_path_factory.mktemp("disk") / f"x.{ending}")
    found = read_table(path)
    again = pd.concat(read_chunks(path, chunk_rows=2))
    pd.testing.assert_frame_equal(again.reset_index(drop=True), found)
    found["timestamp"] = parse_times(found["timestamp"])
    pd.testing.assert_frame_equal(validate_events(found), events)


@pytest.mark.rows("D04")
@settings(deadline=None, max_examples=60)
@given(rows=ROWS)
def test_csv_and_json_lines_hold_the_same(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("both")
    columns = ["user_id", "item_id", "event", "timestamp", "value", "text"]
    table = pd.DataFrame(rows, columns=columns).astype({"value": "float64"})
    table["timestamp"] = table["timestamp"].map(lambda t: t.isoformat()).astype("str")
    first = read_table(write_table(table, folder / "a.csv"))
    second = read_table(write_table(first, folder / "b.jsonl"))
    third = read_table(write_table(second, folder / "c.csv"))
    assert (folder / "a.csv").read_bytes() == (folder / "c.csv").read_bytes()
    pd.testing.assert_frame_equal(third, first)


def test_json_lines_keep_kinds_digits_and_large_numbers(tmp_path):
    table = pd.DataFrame(
        {
            "user_id": pd.Series([2**53 + 1, None, 7], dtype=object),
            "item_id": ["7", "x", "y"],
            "value": [0.1 + 0.2, float("nan"), 1e300],
            "tags": [["a", "b"], None, []],
            "n": [1, 2, 3],
        }
    )
    found = read_table(write_table(table, tmp_path / "x.jsonl"))
    assert found["user_id"].tolist() == [2**53 + 1, None, 7]
    assert found["item_id"].tolist() == ["7", "x", "y"]
    assert found["value"].tolist()[::2] == [0.1 + 0.2, 1e300]
    assert found["tags"].tolist() == [["a", "b"], None, []]
    assert found["n"].dtype == "int64"


def test_odd_json_is_named_by_its_line(tmp_path):
    for line, message in (
        ("[1]", "line 2 holds list"),
        ("{", "line 2: "),
        ("[" * 99999, "x.jsonl"),
    ):
        (tmp_path / "x.jsonl").write_text('{"a": 1}\n' + line + "\n")
        with pytest.raises(SchemaError, match=message):
            read_table(tmp_path / "x.jsonl")


def test_rejected_rows_of_any_kind_can_be_written(tmp_path):
    odd = [Decimal("sNaN"), {1}, b"x", float("inf"), np.int64(3), pd.NaT, "\udce9", {"a": "b"}]
    table = pd.DataFrame({"value": pd.Series(odd, dtype=object)})
    for ending in ENDINGS:
        assert len(read_table(write_table(table, tmp_path / f"x.{ending}"))) == len(odd)


# Pieces


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 100])
def test_pieces_make_up_the_table(tmp_path, ending, chunk_rows):
    path = write_table(table().assign(value=[4.5, 1, 2.0]), tmp_path / f"x.{ending}")
    pieces = list(read_chunks(path, chunk_rows=chunk_rows))
    assert (
        [len(p) for p in pieces] == [3] if chunk_rows >= 3 else max(map(len, pieces)) == chunk_rows
    )
    pd.testing.assert_frame_equal(pd.concat(pieces), read_table(path), check_index_type=False)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_table_is_one_empty_piece(tmp_path, ending):
    path = write_table(table().iloc[:0], tmp_path / f"x.{ending}")
    pieces = list(read_chunks(path))
    assert [len(p) for p in pieces] == [0]
    if "json" not in ending:  # which writes the names of the columns in every row only
        assert pieces[0].columns.tolist() == table().columns.tolist()


@pytest.mark.parametrize(("source", "target"), [("csv", "parquet"), ("parquet", "jsonl.gz"),
                                                ("jsonl", "csv")])  # fmt: skip
def test_pieces_can_be_written_in_another_format(tmp_path, source, target):
    events = clean_events(table(), now="2027-01-01").events
    path = write_table(events, tmp_path / f"a.{source}")
    copy = write_table(read_chunks(path, chunk_rows=2), tmp_path / f"b.{target}")
    pd.testing.assert_frame_equal(clean_events(read_table(copy), now="2027-01-01").events, events)


def test_pieces_that_do_not_fit_are_refused_and_leave_nothing(tmp_path):
    pieces = [pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})]
    with pytest.raises(SchemaError, match="a piece has the columns 'b', the first 'a'"):
        write_table(pieces, tmp_path / "x.csv")
    pieces = [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": ["x"]})]
    with pytest.raises(SchemaError, match="a piece has other kinds of values"):
        write_table(pieces, tmp_path / "x.parquet")
    with pytest.raises(SchemaError, match="there is no table to write"):
        write_table([], tmp_path / "x.csv")
    with pytest.raises(TypeError, match="must consist of pandas DataFrames, got str"):
        write_table("ab", tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_far_into_the_file_comes_up_there(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 50_000 + "1,2,3\n")
    pieces = read_chunks(tmp_path / "x.csv", chunk_rows=1000)
    assert len(next(pieces)) == 1000
    with pytest.raises(SchemaError, match=r"x\.csv cannot be read as csv"):
        list(pieces)
    with pytest.raises(ValueError, match="chunk_rows must be at least 1"):
        read_chunks(tmp_path / "x.csv", chunk_rows=0)


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl", "parquet"])
def test_the_memory_of_pieces_does_not_grow_with_the_file(tmp_path, ending):
    def peak(rows):
        path = tmp_path / f"{rows}.{ending}"
        write_table(pd.concat([table()] * (rows // 3), ignore_index=True), path)
        peaks, seen = [], 0
        tracemalloc.start()
        for piece in read_chunks(path, chunk_rows=500):
            seen += len(piece)
            peaks.append(tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes())
        tracemalloc.stop()
        assert seen == rows
        return max(peaks)

    assert peak(18_000) < 1.5 * peak(6_000)


# Encodings

SENTENCES = {
    "utf-8": "Zelt für zwei – 帐篷",
    "utf-8-sig": "Zelt für zwei",
    "utf-16": "帐篷, Misérables",
    "gb18030": "轻便帐篷，适合两人（夏季）",
    "cp1252": "Misérables – “Le café” à 5 €",
}


@pytest.mark.parametrize("encoding", list(SENTENCES))
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl"])
def test_encodings_are_detected(tmp_path, encoding, ending):
    title = SENTENCES[encoding]
    text = f'{{"item_id": "1", "title": "{title}"}}\n' * 3
    if "csv" in ending:
        text = "item_id,title\n" + f'1,"{title.replace(chr(34), "")}"\n' * 3
    path = tmp_path / f"items.{ending}"
    pack = gzip.compress if ending.endswith("gz") else bytes
    path.write_bytes(pack(text.encode(encoding)))
    found = read_table(path, encoding="auto")
    assert found["title"].tolist() == [title] * 3
    assert found.columns.tolist() == ["item_id", "title"]


@pytest.mark.parametrize("encoding", ["gb18030", "cp1252"])
def test_the_encoding_is_found_far_into_the_file(tmp_path, encoding):
    path = tmp_path / "items.csv"
    path.write_bytes(b"item_id,title\n" + b"1,x\n" * 700_000 + SENTENCES[encoding].encode(encoding))
    with path.open("rb") as file:
        assert detect_encoding(file) == encoding


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_utf_8_is_found_to_be(text):
    if not text.startswith("\ufeff"):
        assert detect_encoding(io.BytesIO(text.encode())) == "utf-8"


def misread(text):
    """UTF-8 as a browser shows it that takes it for Windows-1252."""
    return "".join(chr(b) if b in b"\x81\x8d\x8f\x90\x9d" else bytes([b]).decode("cp1252")
                   for b in text.encode())  # fmt: skip


@pytest.mark.parametrize(
    "text", ["Misérables", "connaître", "轻便帐篷", "Привет", "😀", "don’t – “so”", "Zelt für 5 €"]
)
def test_misread_text_is_restored_once_and_twice(text):
    assert restore_text(misread(text)) == text
    assert restore_text(misread(misread(text))) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "Misérables",
        "CAFÉ…",
        "CAFÉ®",
        "«CAFÉ»",
        "IRMÃ”",
        "Ã",
        "轻便帐篷",
        "naïve – “so”",
    ],
)
def test_text_that_can_be_meant_is_left_alone(text):
    assert restore_text(text) == text


@settings(deadline=None, max_examples=300)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_restoring_twice_changes_nothing_more(text):
    for given_text in (text, misread(text)):
        once = restore_text(given_text)
        assert restore_text(once) == once


def test_cleaning_restores_texts_where_it_is_asked_to():
    raw = table().assign(text=["Misérables", misread("Misérables"), "x"])
    assert clean_events(raw, now="2027-01-01").repairs.empty
    log = clean_events(raw, now="2027-01-01", repair_text=True)
    assert sorted(log.events["text"]) == ["Misérables", "Misérables", "x"]
    assert log.repairs.to_dict() == {"repaired_text": 1}
