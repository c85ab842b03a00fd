"""The stores of all families on what VUMETER_STORE names: a SQLite file, a ClickHouse cluster."""
