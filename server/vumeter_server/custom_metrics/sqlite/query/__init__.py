"""How queries are planned and answered."""
