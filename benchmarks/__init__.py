"""One file, one measured question: ``python -m benchmarks NAME``.

Each prints a readable table and then, as its last line, one JSON object.
"""
