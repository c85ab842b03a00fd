"""The dashboard: the page and its files, as `make generate` wrote them. Source: `dashboard/`."""
