"""What `vumeter doctor` looks at: the database file, the machine, and what the product brings."""
