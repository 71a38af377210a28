"""Tests of the reference cluster's API server, against what a real one answered."""
