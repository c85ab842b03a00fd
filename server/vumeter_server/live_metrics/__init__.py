"""Live metrics: what voice-call servers do this second, per tenant, and what they did before."""
