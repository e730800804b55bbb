"""How the published tables of each real data set become events, items and users.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_interest.schema import EVENT_COLUMNS, TIMESTAMP_DTYPE

__all__ = ["UNKNOWN_TIME"]

#: The timestamp of an event whose time was not published: long before any real one, so that
#: ``events["timestamp"] > UNKNOWN_TIME`` selects the events with a known time.
UNKNOWN_TIME = pd.Timestamp(0, tz="UTC").as_unit("us")

Tables = Mapping[str, pd.DataFrame]


class Parsed(NamedTuple):
    """What a parser returns; nothing is sorted or validated yet."""

    events: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame


Parser = Callable[[Tables], Parsed]

_NO_USERS = pd.DataFrame({"user_id": pd.Series(dtype="str")})

# Films


def movielens_small(tables: Tables) -> Parsed:
    """Ratings and tags; the tags are comments."""
    names = {"userId": "user_id", "movieId": "item_id", "rating": "value", "tag": "text"}
    stars = tables["ratings.csv"].rename(columns=names)
    tags = tables["tags.csv"].rename(columns=names)
    events = pd.concat([_ratings(stars), _timed(tags, "comment", _from_seconds(tags))])
    films = tables["movies.csv"].rename(columns=names)
    return Parsed(events, _films(films), _NO_USERS)


def movielens_100k(tables: Tables) -> Parsed:
    """Ratings by users of known age, gender and occupation."""
    stars = tables["ratings.csv"].rename(columns={"rating": "value"})
    people = tables["users.csv"][["user_id", "age", "gender", "occupation"]]
    return Parsed(_ratings(stars), _films(tables["items.csv"]), people)


def movielens_1m(tables: Tables) -> Parsed:
    """Ratings, of which some have a time, films with plots, users with their codes spelt out."""
    stars = tables["ratings.csv"].rename(columns={"rating": "value"})
    known = tables["timestamps_partial.csv"][["user_id", "item_id", "timestamp"]]
    # Seconds 0 are UNKNOWN_TIME.
    stars = stars.merge(known, on=["user_id", "item_id"], how="left").fillna({"timestamp": 0})
    plots = tables["items_plot.csv"].set_index("item_id")["plot"].replace("N/A", "")
    films = _films(tables["items.csv"])
    films["description"] = films["item_id"].map(plots).fillna("").map(_one_line)
    codes = tables["users.csv"]
    people = pd.DataFrame(
        {
            "user_id": codes["user_id"],
            "age": codes["age_code"].map(_AGES),
            "gender": codes["gender"],
            "occupation": codes["occupation_code"].map(dict(enumerate(_OCCUPATIONS))),
        }
    )
    return Parsed(_ratings(stars), films, people)


_AGES = {
    **{1: "under 18", 18: "18-24", 25: "25-34", 35: "35-44"},
    **{45: "45-49", 50: "50-55", 56: "56 or older"},
}
_OCCUPATIONS = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student"),
    *("customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker"),
    *("K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist"),
    *("self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer"),
)


def douban(tables: Tables) -> Parsed:
    """Ratings without a time, films with a plot in Chinese."""
    films = tables["items.csv"]
    # title/directors/year/actors/genres/countries, sometimes with one more slash at the end
    genres = films["fields"].str.split("/").str[4]
    items = pd.DataFrame(
        {
            "item_id": films["item_id"],
            "title": films["title"].map(_one_line),
            "description": films["summary"].map(_one_line),
            "tags": genres.str.replace(",", ", ", regex=False),
            "category": "film",
            "language": "zh",
        }
    )
    return Parsed(_untimed(tables["ratings.csv"], "rate", "rating"), items, _NO_USERS)


def _ratings(stars: pd.DataFrame) -> pd.DataFrame:
    return _timed(stars, "rate", _from_seconds(stars))


def _films(films: pd.DataFrame) -> pd.DataFrame:
    genres = films["genres"].where(films["genres"] != "(no genres listed)", "")
    return pd.DataFrame(
        {
            "item_id": films["item_id"],
            "title": films["title"].map(film_title),
            "description": "",
            "tags": genres.str.lower().str.replace("|", ", ", regex=False),
            "category": "film",
            "language": "en",
        }
    )


_ARTICLE_LAST = re.compile(r"^(?P<title>[^(]+), (?P<article>The|An|A)(?P<rest>| \(.*)$")


def film_title(title: str) -> str:
    """Return the title as it is spoken, with the year.

    >>> film_title("Matrix, The (1999)"), film_title("Postman, The (Postino, Il) (1994)")
    ('The Matrix (1999)', 'The Postman (Postino, Il) (1994)')
    """
    return _ARTICLE_LAST.sub(r"\g<article> \g<title>\g<rest>", _one_line(title))


# Books, things, music


def goodbooks(tables: Tables) -> Parsed:
    """Ratings without a time, books with their authors and genres."""
    books = tables["books.csv"]
    genres = tables["book_genres.csv"].set_index("book_id")["genres"]
    items = pd.DataFrame(
        {
            "item_id": books["book_id"],
            "title": books["title"].map(_one_line),
            "description": "by " + books["authors"].map(_one_line),
            "tags": books["book_id"].map(genres.map(_shelf_names)),
            "category": "book",
            "language": books["language_code"].map(_language),
        }
    )
    stars = tables["ratings_sample.csv"].rename(columns={"book_id": "item_id"})
    return Parsed(_untimed(stars, "rate", "rating"), items, _NO_USERS)


def _shelf_names(genres: str) -> str:
    return genres.replace("-", " ").replace(",", ", ")


#: ISO 639-2 (bibliographic) to 639-1; "fil" has no short code and "mul" means several.
_LANGUAGES = {
    **{"ara": "ar", "dan": "da", "eng": "en", "fre": "fr", "ger": "de", "ind": "id", "ita": "it"},
    **{"jpn": "ja", "mul": "", "nor": "no", "per": "fa", "pol": "pl", "por": "pt", "rum": "ro"},
    **{"rus": "ru", "spa": "es", "swe": "sv", "tur": "tr", "vie": "vi"},
}


def _language(code: str) -> str:
    code = code.partition("-")[0]
    return _LANGUAGES.get(code, code)


def online_retail(tables: Tables) -> Parsed:
    """Invoice lines that name their customer; a cancelled line is a return."""
    lines = tables["transactions.csv"]
    lines = lines[lines["CustomerID"] != ""]
    cancelled = lines["InvoiceNo"].str.startswith("C")
    kinds = cancelled.map({True: "return", False: "purchase"})
    events = pd.DataFrame(
        {
            "user_id": lines["CustomerID"].astype("int64"),
            "item_id": lines["StockCode"],
            "event": kinds,
            "timestamp": _moments(lines["InvoiceDate"], "%Y-%m-%d %H:%M:%S"),
            "value": lines["Quantity"].abs(),
            "text": "",
            "price": lines["UnitPrice"],
            "invoice": lines["InvoiceNo"],
        }
    )
    titles = _most_frequent(lines, "StockCode", "Description")
    items = pd.DataFrame(
        {
            "item_id": titles.index,
            "title": titles.map(_one_line).to_numpy(),
            "tags": "",
            # Postage, discounts, bank charges and the like have codes without five digits.
            "category": np.where(titles.index.str.match(r"\d{5}"), "product", "service"),
            "language": "en",
        }
    )
    countries = _most_frequent(lines, "CustomerID", "Country")
    people = pd.DataFrame({"user_id": countries.index.astype("int64"), "country": countries.array})
    return Parsed(events, items, people)


def _most_frequent(table: pd.DataFrame, by: str, of: str) -> pd.Series:
    # Of equally frequent ones the first in the alphabet, so that the order of rows is no matter.
    counts = table.groupby([by, of]).size().reset_index(name="n")
    best = counts.sort_values([by, "n", of], ascending=[True, False, True]).drop_duplicates(by)
    return best.set_index(by)[of]


FIRST_TAG = pd.Timestamp("2005-01-01", tz="UTC")  # five tags claim to be older than the site


def lastfm(tables: Tables) -> Parsed:
    """Plays with their counts but without a time, and dated tags as comments."""
    names = {"userID": "user_id", "artistID": "item_id"}
    plays = tables["user_artists.csv"].rename(columns=names)
    artists = tables["artists.csv"]
    tags = tables["user_taggedartists.csv"].rename(columns=names)
    tags["timestamp"] = pd.to_datetime(tags[["year", "month", "day"]], utc=True)
    tags["text"] = tags["tagID"].map(tables["tags.csv"].set_index("tagID")["tagValue"])
    tags = tags[(tags["timestamp"] >= FIRST_TAG) & tags["item_id"].isin(artists["id"])]
    items = pd.DataFrame(
        {
            "item_id": artists["id"],
            "title": artists["name"].map(_one_line),
            "tags": artists["id"].map(_top_tags(tags)).fillna(""),
            "category": "artist",
        }
    )
    events = [_untimed(plays, "play", "weight"), _timed(tags, "comment", tags["timestamp"])]
    return Parsed(pd.concat(events), items, _NO_USERS)


def _top_tags(tags: pd.DataFrame, most: int = 5) -> pd.Series:
    """Return the tags most users gave each artist, most frequent first."""
    counts = tags.groupby(["item_id", "text"])["user_id"].nunique().reset_index(name="n")
    counts = counts.sort_values(["item_id", "n", "text"], ascending=[True, False, True])
    return counts.groupby("item_id").head(most).groupby("item_id")["text"].agg(", ".join)


# Labelled texts


def mind(tables: Tables) -> Parsed:
    """News, and what was shown (impression) and clicked (browse) of those whose text is here."""
    news = tables["news.csv"]
    items = pd.DataFrame(
        {
            "item_id": news["news_id"],
            "title": news["title"].map(_one_line),
            "description": news["abstract"].map(_one_line),
            "tags": news["subcategory"],
            "category": news["category"],
            "language": "en",
        }
    )
    pages = tables["behaviors.csv"][["user_id", "time", "impressions"]]
    pages = pages.assign(timestamp=_moments(pages["time"], "%m/%d/%Y %I:%M:%S %p"))
    shown = pages.assign(pair=pages["impressions"].str.split()).explode("pair", ignore_index=True)
    pair = shown["pair"].str.rsplit("-", n=1, expand=True)
    kinds = pair[1].map({"0": "impression", "1": "browse"})
    events = _timed(shown.assign(item_id=pair[0]), kinds, shown["timestamp"])
    return Parsed(events[events["item_id"].isin(news["news_id"])], items, _NO_USERS)


def thucnews(tables: Tables) -> Parsed:
    """Headlines with their section as the label; nobody's behaviour."""
    parts = [tables[f"{part}.csv"].assign(split=part) for part in ("dev", "test")]
    lines = pd.concat(parts).rename(columns={"label_name": "category"})
    return _labelled(lines.assign(text=lines["title"]), "zh")


def stackoverflow(tables: Tables) -> Parsed:
    """Titles of questions with their tag as the label."""
    questions = tables["StackOverflow.csv"].rename(columns={"label_name": "category"})
    return _labelled(questions, "en")


_SNIPPETS = (
    *("business", "computers", "culture-arts-entertainment", "education-science"),
    *("engineering", "health", "politics-society", "sports"),
)
_AG_NEWS = ("world", "sports", "business", "sci/tech")


def searchsnippets(tables: Tables) -> Parsed:
    """Snippets of search results with their topic as the label."""
    return _labelled(_named(tables["SearchSnippets.csv"], _SNIPPETS), "en")


def agnews(tables: Tables) -> Parsed:
    """News, already without their small words, with their section as the label."""
    return _labelled(_named(tables["AgNews8000.csv"], _AG_NEWS), "en")


def _named(texts: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    return texts.assign(category=texts["label"].map(dict(enumerate(names, start=1))))


def _labelled(texts: pd.DataFrame, language: str) -> Parsed:
    """Return items without events; an item is named by its place in the sorted table."""
    texts = texts.assign(split=texts.get("split", "text"))
    texts = texts.sort_values(["split", "category", "text"], ignore_index=True)
    place = texts.groupby("split").cumcount().astype(str).str.zfill(5)
    items = pd.DataFrame(
        {
            "item_id": texts["split"] + "-" + place,
            "title": texts["text"].map(_one_line),
            "category": texts["category"],
            "language": language,
        }
    )
    kinds = {"timestamp": TIMESTAMP_DTYPE, "value": "float64"}
    nothing = {column: pd.Series(dtype=kinds.get(column, "str")) for column in EVENT_COLUMNS}
    return Parsed(pd.DataFrame(nothing), items, _NO_USERS)


# Times and texts


def _timed(rows: pd.DataFrame, event: str | pd.Series, times: pd.Series) -> pd.DataFrame:
    """Return rows as events; a missing `value` or `text` column is empty."""
    events = rows.assign(event=event, timestamp=times.astype(TIMESTAMP_DTYPE))
    for column, empty in (("value", float("nan")), ("text", "")):
        if column not in events:
            events[column] = empty
    return events[list(EVENT_COLUMNS)]


def _untimed(rows: pd.DataFrame, event: str, value: str) -> pd.DataFrame:
    never = pd.Series(UNKNOWN_TIME, index=rows.index)
    return _timed(rows.rename(columns={value: "value"}), event, never)


def _from_seconds(rows: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(rows["timestamp"], unit="s", utc=True)


def _moments(texts: pd.Series, form: str) -> pd.Series:
    # Written without a zone; read as UTC.
    return pd.to_datetime(texts, format=form, utc=True).astype(TIMESTAMP_DTYPE)


def _one_line(text: str) -> str:
    return " ".join(text.split())
