"""Custom metrics: points that voice agents record, and the questions asked about them."""
