"""The commands of `vumeter`, one module per area."""
