"""The migrations of the database, one module each; `history` has their order."""
