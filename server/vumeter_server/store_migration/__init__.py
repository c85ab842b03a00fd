"""Copies everything from one store into another while the first one serves: `vumeter migrate`.

Nothing is written down of how far it has come but what is in the target: each part is compared, and
what differs is written. So it may end at any moment, and goes on where it was.
"""
