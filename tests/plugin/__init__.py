"""Proof that the plugin makes the right verdicts, result and exit code of what checks do, with a fake
target.
"""
