"""The checks: one file an area, in the order of a Pod's life; each says given, when, then, and names its control."""
