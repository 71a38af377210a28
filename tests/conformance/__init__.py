"""Proof that a target is judged as what it is: the survey, the canary, and a session that leaves nothing behind."""
