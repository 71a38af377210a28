"""Proof that the asset images are what their trees say, byte by byte, and that other tools read them alike."""
