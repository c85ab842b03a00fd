"""The engines: the product and what it is set against, each behind the same small interface."""
