"""The command line: `doctor`, `run` and `datasets`.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["main"]

_EXAMPLE = """example:
  python -m recsys_interest run --events events.csv --items items.csv --out result
  open result/report.html

events need the columns user_id, item_id and timestamp (event, value and text if there are);
items need item_id and any of title, description, tags, category, language.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 if all went well, 1 if `doctor` found a fault, 2 if the input was refused.

    Examples
    --------
    >>> main(["datasets"])  # doctest: +SKIP
    """
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except (OSError, ValueError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recsys_interest",
        description="Behaviour logs with item text in; tiers, clusters and recommendations out.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    doctor = commands.add_parser(
        "doctor", help="check this installation, with a fix for each fault"
    )
    doctor.set_defaults(command=_doctor)
    datasets = commands.add_parser("datasets", help="list the data sets that load by name")
    datasets.set_defaults(command=_datasets)
    run = commands.add_parser(
        "run",
        help="go from files to tiers, clusters, lists and a report",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.set_defaults(command=_run)
    add = run.add_argument
    add("--events", required=True, metavar="E", help="the log: .csv, .jsonl or .parquet")
    add("--items", required=True, metavar="I", help="the items: .csv, .jsonl or .parquet")
    add("--out", required=True, metavar="DIR", help="folder for the results; made if it is missing")
    add("--format", choices=("csv", "jsonl", "parquet"), default="csv", help="of the results")
    add("--encoding", default="utf-8", help="of text files (default utf-8); auto finds it out")
    add("--unit", choices=("s", "ms", "us", "ns"), default="s", help="of numeric times (default s)")
    add("--timezone", default="UTC", help="of times without an offset (default UTC)")
    add("--k", type=int, default=10, help="length of a list (default 10)")
    add("--model", help="folder or Hugging Face id of the encoder")
    add("--now", help="events after this moment are rejected (default: the current time)")
    add("--quiet", action="store_true", help="no progress")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from recsys_interest.encoder import TextEncoder
    from recsys_interest.files import read_table
    from recsys_interest.pipeline import InterestPipeline

    if arguments.k < 1:
        raise ValueError(f"--k must be at least 1, got {arguments.k}")
    out = _checked_out(Path(arguments.out))
    say = _silent if arguments.quiet else _say
    say(f"reading {arguments.events} and {arguments.items}")
    events = read_table(arguments.events, encoding=arguments.encoding)
    items = read_table(arguments.items, encoding=arguments.encoding)
    events, items = _with_like_ids(events, items)
    settings = {"model": arguments.model} if arguments.model else {}
    encoder = TextEncoder(progress=not arguments.quiet, **settings)
    say("cleaning, encoding, profiling, tiers, clusters, lists")
    times = {"timestamp_unit": arguments.unit, "timezone": arguments.timezone}
    road = InterestPipeline(encoder=encoder, now=arguments.now, cleaning=times).fit(events, items)
    out.mkdir(parents=True, exist_ok=True)
    for path in _write_results(road, out, arguments):
        say(f"wrote {path}")
    say(repr(road.log_))
    return 0


def _checked_out(out: Path) -> Path:
    """Refuse a folder that cannot take the results before the work is done, not after it."""
    from recsys_interest.storage import check_target

    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise FileExistsError(f"{there} is a file; give --out a folder")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"{there} cannot be written to; give --out another folder")
    if (out / "report.html").is_dir():
        raise FileExistsError(f"{out / 'report.html'} is a folder; give --out another folder")
    check_target(out / "pipeline")
    return out


def _with_like_ids(events: pd.DataFrame, items: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read item ids as text on both sides if they are text on one: CSV knows no numbers."""
    from pandas.api.types import is_integer_dtype

    tables = [events, items]
    if not all("item_id" in table.columns for table in tables):
        return events, items
    numbers = [is_integer_dtype(table["item_id"].dtype) for table in tables]
    if any(numbers) and not all(numbers):
        tables = [table.astype({"item_id": "str"}) for table in tables]
    return tables[0], tables[1]


def _write_results(road: object, out: Path, arguments: argparse.Namespace) -> list[Path]:
    from recsys_interest.files import write_table
    from recsys_interest.pipeline import InterestPipeline

    assert isinstance(road, InterestPipeline)
    tables = {
        "events_clean": road.log_.events,
        "events_rejected": road.log_.rejected,
        "tiers": road.tiers_.reset_index(),
        "clusters": road.clusters_.reset_index(),
        "cluster_names": road.cluster_names_.to_frame().join(road.cluster_keywords_).reset_index(),
        "recommendations": road.recommend(k=arguments.k),
    }
    ending = arguments.format
    written = [write_table(table, out / f"{name}.{ending}") for name, table in tables.items()]
    written.append(road.write_report(out / "report.html"))
    written.append(road.save(out / "pipeline"))
    return written


def _doctor(arguments: argparse.Namespace) -> int:
    from recsys_interest.doctor import check_installation

    findings = check_installation()
    for finding in findings:
        print(finding)
    return int(any(not finding.fine for finding in findings))


def _datasets(arguments: argparse.Namespace) -> int:
    from recsys_interest.datasets import list_datasets

    print(list_datasets().to_string(index=False))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _silent(text: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
