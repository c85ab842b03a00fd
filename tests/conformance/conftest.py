"""One suite per store contract, which every store of that contract has to pass.

A suite is a folder: `tests/conformance/<family>/`. It holds

    factories.py   how a test opens each store; the only place that names one
    memory.py      the store in memory, by brute force: the oracle
    test_*.py      a test for each promise of the contract, and random runs beside the oracle

**To run a new store through a suite**, say custom metrics in ClickHouse: write a context manager
that opens it at a path (or ignores the path and uses an empty schema of its own), add it to
`FACTORIES` in the family's `factories.py`, and run

    python -m pytest tests/conformance/custom_metrics -k clickhouse

No test has to be touched. A test that fails says which sentence of the contract is not kept.
"""
