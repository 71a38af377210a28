"""Proof that every report says what the run gave, whatever a target put into its texts."""
