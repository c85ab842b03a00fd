"""The OpenAPI document and the page that shows it, as `make generate` wrote them."""
