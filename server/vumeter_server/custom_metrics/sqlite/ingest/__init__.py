"""Recording: the write-ahead log of batches, and interning."""
