"""Vumeter: metrics of voice agents over gRPC and REST, kept in SQLite."""
