"""Demo data, a module a family."""
