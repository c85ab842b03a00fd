"""Who a credential belongs to, for callers who ask about their own."""
