"""Custom metrics: what voice agents count and measure, recorded as points and queried as sums."""
