"""Proof that the suite is right: its parts, the suite on the reference cluster, the mutants."""
