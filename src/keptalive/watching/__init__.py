"""What really happens on the wire, seen from the client's side and told as events.

This folder never meets ``lookalike``: two witnesses must not share code.
"""
