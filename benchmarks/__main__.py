"""Run a benchmark by name."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys

import benchmarks


def main(argv: list[str]) -> int:
    """Run the benchmark that is asked for; without a name, list them.

    Parameters
    ----------
    argv : list of str
        The name of a benchmark.

    Returns
    -------
    int
        The exit code.
    """
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name[0] != "_")
    if len(argv) != 1 or argv[0] not in names:
        print(f"usage: python -m benchmarks NAME, where NAME is one of: {', '.join(names)}")
        return 2
    result = importlib.import_module(f"benchmarks.{argv[0]}").run()
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
