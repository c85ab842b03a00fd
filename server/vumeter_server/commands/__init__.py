"""The commands of `vumeter`, a module an area."""
