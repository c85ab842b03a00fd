"""The OpenAPI document, made of the protos and of the schemas in `openapi/`."""
