"""Every real data set by name: published counts, valid tables, and what each parser decides."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from recsys_interest import dataset_files, dataset_parsers, datasets
from recsys_interest.dataset_catalogue import RealData, Table, real_data
from recsys_interest.datasets import (
    UNKNOWN_TIME,
    Dataset,
    list_datasets,
    load_dataset,
    load_tables,
)
from recsys_interest.schema import validate_events, validate_items, validate_users

each_set = pytest.mark.parametrize("name", list(real_data()))
BY_HAND = [name for name, spec in real_data().items() if not spec.urls]


@functools.cache
def _load(name: str) -> Dataset:
    return load_dataset(name, download=False)


def load(name: str) -> Dataset:
    try:
        return _load(name)
    except FileNotFoundError as error:
        pytest.skip(f"needs {name}: {error}")


def kinds(name: str) -> dict[str, int]:
    return load(name).events["event"].value_counts().to_dict()


# All sets


@each_set
def test_a_set_has_what_the_catalogue_says(name: str) -> None:
    data, spec = load(name), real_data()[name]
    events = data.events
    found = (len(events), events["user_id"].nunique(), len(data.items))
    assert found == (spec.events, spec.users, spec.items)
    if spec.events:
        timed = (events["timestamp"] > UNKNOWN_TIME).mean()
        assert round(timed, 2) == spec.timed
    assert data.about.startswith(spec.about)
    assert spec.citation in data.about
    assert (data.licence, data.source) == (spec.licence, spec.source)


@each_set
def test_a_set_is_valid_sorted_and_closed(name: str) -> None:
    data = load(name)
    pd.testing.assert_frame_equal(validate_events(data.events), data.events)
    pd.testing.assert_frame_equal(validate_items(data.items), data.items)
    pd.testing.assert_frame_equal(validate_users(data.users), data.users)
    assert data.events["timestamp"].is_monotonic_increasing
    assert data.items["item_id"].is_monotonic_increasing
    assert set(data.events["item_id"]) <= set(data.items["item_id"])
    assert not len(data.users) or set(data.events["user_id"]) == set(data.users["user_id"])
    assert (data.items["title"] != "").all()
    assert not data.items["title"].str.contains(r"^\s|\s$|\s\s").any()


@pytest.mark.parametrize("name", [n for n, s in real_data().items() if s.events < 300_000])
def test_the_order_of_the_files_does_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(name)
    tables = load_tables(name, download=False)
    shuffled = {file: t.sample(frac=1, random_state=1) for file, t in tables.items()}
    monkeypatch.setattr(datasets, "find_tables", lambda *a, **k: shuffled)
    again = datasets.load(real_data()[name], Path(), download=False, progress=False)
    pd.testing.assert_frame_equal(again.events, data.events)
    pd.testing.assert_frame_equal(again.items, data.items)
    pd.testing.assert_frame_equal(again.users, data.users)


def test_the_file_of_the_catalogue_is_complete() -> None:
    written = Path(datasets.__file__).with_name("data_sets.toml").read_text(encoding="utf-8")
    assert list(tomllib.loads(written)) == list(real_data())
    files = [(spec.folder, t.file) for spec in real_data().values() for t in spec.tables]
    assert len(files) == len(set(files))
    for spec in real_data().values():
        assert bool(spec.urls) != bool(spec.by_hand)
        assert all(url.startswith("https://") for url in spec.urls)
        assert all(len(t.fingerprint) == 32 and t.rows > 0 for t in spec.tables)
        assert spec.licence
        assert "://" in spec.citation
        assert spec.source.startswith("http")


# Sets that no program may download


@pytest.mark.parametrize("name", BY_HAND)
def test_a_set_without_an_address_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path))
    monkeypatch.setattr(dataset_files, "fetch", None)  # calling it would be an error
    spec = real_data()[name]
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset(name, cache_dir=tmp_path)
    message = str(caught.value)
    assert f"- RECSYS_INTEREST_DATA: there is no folder {tmp_path / spec.folder}" in message
    assert f"- web: {spec.by_hand}" in message
    assert f"The fix: set RECSYS_INTEREST_DATA to a folder that has {spec.folder}/ with" in message
    assert all(f"{t.file}.gz" in message for t in spec.tables)
    assert f"from {spec.source}; its licence: {spec.licence}" in message


def test_a_missing_file_of_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path))
    (tmp_path / "stc_benchmarks").mkdir()
    with pytest.raises(ValueError, match=r"AgNews8000\.csv cannot be read \(.*No such file"):
        load_dataset("agnews")


# The tables as published


def test_published_tables_are_untouched() -> None:
    load("online-retail")
    lines = load_tables("online-retail")["transactions.csv"]
    assert len(lines) == 541_909
    assert (lines["CustomerID"] == "").sum() == 135_080
    assert (lines["Description"] == "").sum() == 1_454
    assert (lines["Quantity"] < 0).sum() == 10_624
    assert lines.iloc[0].tolist()[:2] == ["536365", "85123A"], "the order of the file"
    assert lines.loc[0, "InvoiceDate"] == "2010-12-01 08:26:00"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("interest-log", ValueError, "is generated and was never published"),
        ("lastfn", ValueError, "did you mean 'lastfm'"),
        (7, TypeError, "name must be text, got int"),
    ],
)
def test_tables_of_odd_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_tables(name)


# What the parsers decide


def test_movielens_100k() -> None:
    data = load("movielens-100k")
    assert kinds("movielens-100k") == {"rate": 100_000}
    assert data.events["timestamp"].iloc[0] == pd.Timestamp("1997-09-20 03:05:10", tz="UTC")
    assert data.users.loc[0].to_dict() == {
        **{"user_id": 1, "age": 24, "gender": "M"},
        "occupation": "technician",
    }
    assert data.users["occupation"].nunique() == 21


def test_movielens_1m() -> None:
    data = load("movielens-1m")
    events = data.events
    known = events[events["timestamp"] > UNKNOWN_TIME]
    assert len(known) == 388_921
    assert known["timestamp"].min() == pd.Timestamp("2000-04-25 23:05:32", tz="UTC")
    assert known["timestamp"].max() == pd.Timestamp("2003-02-28 17:49:50", tz="UTC")
    assert known["value"].min() == 4
    assert sorted(events["value"].unique()) == [1, 2, 3, 4, 5]
    films = data.items.set_index("item_id")
    assert films.loc[1, "description"].startswith("A little boy named Andy loves to be")
    assert (films["description"] == "").sum() == 38, "36 without a plot, 2 without any details"
    assert data.users.loc[0].to_dict() == {
        **{"user_id": 1, "age": "under 18", "gender": "F"},
        "occupation": "K-12 student",
    }
    assert data.users["age"].value_counts()["25-34"] == 2_096


def test_goodbooks() -> None:
    data = load("goodbooks")
    assert kinds("goodbooks") == {"rate": 298_176}
    assert (data.events["timestamp"] == UNKNOWN_TIME).all()
    first = data.items.set_index("item_id").loc[1]
    assert first["title"] == "The Hunger Games (The Hunger Games, #1)"
    assert first["description"] == "by Suzanne Collins"
    assert "science fiction" in first["tags"].split(", ")
    languages = data.items["language"].value_counts()
    assert languages["en"] == 6_341 + 2_070 + 257 + 58 + 4
    assert set(languages.index.str.len()) <= {0, 2, 3}


def test_online_retail() -> None:
    data = load("online-retail")
    events = data.events
    assert kinds("online-retail") == {"purchase": 397_924, "return": 8_905}
    assert (events["value"] > 0).all()
    assert events["invoice"].str.startswith("C").equals(events["event"] == "return")
    assert events["timestamp"].min() == pd.Timestamp("2010-12-01 08:26", tz="UTC")
    assert events["timestamp"].max() == pd.Timestamp("2011-12-09 12:50", tz="UTC")
    services = data.items[data.items["category"] == "service"]["item_id"]
    assert sorted(services) == ["BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "PADS", "POST"]
    titles = data.items.set_index("item_id")["title"]
    assert titles["85123A"] == "WHITE HANGING HEART T-LIGHT HOLDER"
    assert data.users["country"].value_counts()["United Kingdom"] == 3_950


def test_lastfm() -> None:
    data = load("lastfm")
    assert kinds("lastfm") == {"play": 92_834, "comment": 186_479 - 5 - 1_538}
    plays = data.events["event"] == "play"
    assert (data.events.loc[plays, "timestamp"] == UNKNOWN_TIME).all()
    assert data.events.loc[plays, "value"].max() == 352_698
    comments = data.events[~plays]
    assert comments["timestamp"].dt.year.between(2005, 2011).all()
    assert (comments["text"] != "").all()
    artists = data.items.set_index("item_id")
    assert artists.loc[1369, "title"] == "Black Sabbath"
    assert artists.loc[1369, "tags"].startswith("heavy metal, ")
    friends = load_tables("lastfm")["user_friends.csv"]
    assert len(friends) == 25_434


def test_mind() -> None:
    data = load("mind")
    assert kinds("mind") == {"impression": 5_135, "browse": 175}
    assert data.items["category"].nunique() == 15
    assert data.items["tags"].nunique() == 143
    assert data.events["timestamp"].min() >= pd.Timestamp("2019-11-09", tz="UTC")
    assert data.events["timestamp"].max() < pd.Timestamp("2019-11-15", tz="UTC")


def test_douban() -> None:
    data = load("douban")
    assert data.events["item_id"].nunique() == 889
    assert set(data.items["language"]) == {"zh"}
    films = data.items.set_index("item_id")
    assert films.loc[0, "tags"] == "剧情, 喜剧, 爱情"
    assert films.loc[79, "tags"] == "动画", "one more slash at the end"
    assert (films["description"] == "").sum() == 5


@pytest.mark.parametrize(
    ("name", "n_labels", "largest", "language"),
    [
        ("thucnews", 10, 2_000, "zh"),
        ("stackoverflow", 20, 1_000, "en"),
        ("searchsnippets", 8, 2_660, "en"),
        ("agnews", 4, 2_000, "en"),
    ],
)
def test_labelled_texts(name: str, n_labels: int, largest: int, language: str) -> None:
    items = load(name).items
    labels = items["category"].value_counts()
    assert (len(labels), labels.iloc[0]) == (n_labels, largest)
    assert (labels.index != "").all()
    assert set(items["language"]) == {language}
    assert items["item_id"].is_unique


def test_labels_name_what_the_texts_are_about() -> None:
    snippets = load("searchsnippets").items.set_index("category")["title"]
    news = load("agnews").items.set_index("category")["title"]
    for texts, label, word in [
        *((snippets, "sports", "football"), (snippets, "computers", "software")),
        *((snippets, "health", "disease"), (snippets, "business", "market")),
        *((news, "sports", "game"), (news, "business", "oil"), (news, "sci/tech", "microsoft")),
        (news, "world", "minister"),
    ]:
        shares = texts.str.contains(word).groupby(level=0).mean()
        assert shares.idxmax() == label, word


def test_halves_of_thucnews() -> None:
    halves = load("thucnews").items["item_id"].str.split("-").str[0]
    assert halves.value_counts().to_dict() == {"dev": 10_000, "test": 10_000}


def small(name: str, **tables: pd.DataFrame) -> dataset_parsers.Parsed:
    return real_data()[name].parse({f"{file}.csv": table for file, table in tables.items()})


def test_what_is_left_out_of_lastfm() -> None:
    parsed = small(
        "lastfm",
        user_artists=pd.DataFrame({"userID": [1], "artistID": [7], "weight": [30]}),
        artists=pd.DataFrame({"id": [7, 8], "name": ["A", "B"]}),
        tags=pd.DataFrame({"tagID": [1, 2], "tagValue": ["rock", "null"]}),
        user_taggedartists=pd.DataFrame(
            [[1, 7, 1, 1, 4, 2009], [1, 7, 2, 1, 9, 1956],
             [2, 7, 2, 1, 1, 2005], [1, 9, 1, 1, 1, 2010]],
            columns=["userID", "artistID", "tagID", "day", "month", "year"],
        ),
    )  # fmt: skip
    comments = parsed.events[parsed.events["event"] == "comment"]
    assert comments["text"].tolist() == ["rock", "null"], "not the one of 1956, not artist 9"
    assert comments["timestamp"].dt.date.astype(str).tolist() == ["2009-04-01", "2005-01-01"]
    assert parsed.items["tags"].tolist() == ["null, rock", ""]
    assert parsed.events["value"].tolist()[0] == 30


def test_what_becomes_of_invoice_lines() -> None:
    lines = pd.DataFrame(
        [
            ["5", "10002", "LAMP", 2, "2011-01-01 10:00:00", 1.0, "17", "France"],
            ["C6", "10002", "LAMP ", -2, "2011-01-02 10:00:00", 1.0, "17", "Spain"],
            ["7", "POST", "POSTAGE", 1, "2011-01-03 10:00:00", 9.0, "17", "Spain"],
            ["8", "10003", "damaged", -4, "2011-01-03 11:00:00", 0.0, "", "Spain"],
        ],
        columns=list(real_data()["online-retail"].tables[0].columns),
    )
    parsed = small("online-retail", transactions=lines)
    assert parsed.events["event"].tolist() == ["purchase", "return", "purchase"]
    assert parsed.events["value"].tolist() == [2, 2, 1]
    assert parsed.items.set_index("item_id")["category"].to_dict() == {
        "10002": "product",
        "POST": "service",
    }
    assert parsed.users.to_numpy().tolist() == [[17, "Spain"]]


def test_a_changed_value_in_a_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("douban")
    tables = load_tables("douban")
    spec: RealData = dataclasses.replace(real_data()["douban"], folder="copy")
    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path))
    (tmp_path / "copy").mkdir()
    for file, table in tables.items():
        table.to_csv(tmp_path / "copy" / file, index=False)
    assert len(datasets.load(spec, tmp_path, download=False, progress=False).events) == 10_110
    tables["ratings.csv"].loc[5, "rating"] ^= 1
    tables["ratings.csv"].to_csv(tmp_path / "copy" / "ratings.csv", index=False)
    with pytest.raises(ValueError, match=r"ratings\.csv of douban has another content"):
        datasets.load(spec, tmp_path, download=False, progress=False)


def test_the_page_lists_what_there_is() -> None:
    page = Path(__file__).parent.parent / "book" / "api" / "datasets.md"
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    assert rows == [
        f"| `{d.name}` | {d.domain} | {d.events:,} | {d.users:,} | {d.items:,} | {d.timed:.0%} "
        f"| {d.licence} |"
        for d in list_datasets().itertuples()
    ]


# Archives laid out otherwise than the tables


def archived(table: Table, frame: pd.DataFrame) -> bytes:
    """Write a table as the official archive has it, by other means than the reader."""
    form = table.archive
    assert form is not None
    frame = frame.astype(str)
    for column, flags in form.flags.items():
        marks = frame[column].str.get_dummies(sep="|").reindex(columns=list(flags), fill_value=0)
        frame = pd.concat([frame, marks.astype(str)], axis=1)
    names = list(form.names) or list(frame.columns)
    rows = [form.separator.join(row) for row in frame.reindex(columns=names, fill_value="").values]
    head = [] if form.names else [form.separator.join([*names])]
    return "".join(f"{line}\r\n" for line in head + rows).encode(form.encoding)


@pytest.mark.parametrize("name", ["movielens-100k", "lastfm"])
def test_the_official_archive_gives_the_same_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, spec, tables = load(name), real_data()[name], load_tables(name)
    monkeypatch.delenv("RECSYS_INTEREST_DATA", raising=False)
    with zipfile.ZipFile(tmp_path / f"{spec.folder}.zip", "w") as archive:
        archive.writestr("some/folder/README", "not a table")
        for table in spec.tables:
            assert table.archive is not None
            content = archived(table, tables[table.file])
            archive.writestr(f"some/folder/{table.archive.member}", content)
    again = load_dataset(name, cache_dir=tmp_path, download=False)
    pd.testing.assert_frame_equal(again.events, data.events)
    pd.testing.assert_frame_equal(again.items, data.items)
    pd.testing.assert_frame_equal(again.users, data.users)


def test_the_lines_of_an_official_archive(tmp_path: Path) -> None:
    lines = {
        "u.item": "1|Léon (1994)|01-Jan-1994||http://a/b|0|1" + "|0" * 16 + "|1\n"
        "2|unknown||||1" + "|0" * 18 + "\n",
        "u.user": "1|24|M|technician|85711\n",
        "u.data": "1\t2\t3\t881250949\n",
    }
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for member, text in lines.items():
            archive.writestr(f"ml-100k/{member}", text.encode("latin-1"))
    ratings, films, people = (
        dataset_files._read_table(t, tmp_path / "a.zip")
        for t in real_data()["movielens-100k"].tables
    )
    assert ratings.to_numpy().tolist() == [[1, 2, 3, 881250949]]
    assert films.to_numpy().tolist() == [
        [1, "Léon (1994)", "01-Jan-1994", "Action|Western", "http://a/b"],
        [2, "unknown", "", "unknown", ""],
    ]
    assert people.to_numpy().tolist() == [[1, 24, "M", "technician", "85711"]]


def test_an_archive_with_other_columns_is_refused(tmp_path: Path) -> None:
    table = real_data()["lastfm"].tables[0]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("user_artists.dat", "userID\tsongID\tweight\n1\t2\t3\n")
    with pytest.raises(ValueError, match=r"user_artists\.csv cannot be read \(.*artistID"):
        dataset_files._read_table(table, tmp_path / "a.zip")
