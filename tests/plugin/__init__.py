"""Proof that the plugin makes the right verdicts, results and exit codes, with a fake target."""
