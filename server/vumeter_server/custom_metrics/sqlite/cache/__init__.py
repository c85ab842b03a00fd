"""What is kept in memory of an organization: head, label index, prefix sums."""
