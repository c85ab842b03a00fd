"""Demo data, a module a family. All of it is recorded through the API, as a caller would."""
