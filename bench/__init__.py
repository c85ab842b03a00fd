"""Measures the product, as ratios within one run: `make bench`, `python -m bench --help`."""
