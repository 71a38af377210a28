"""Tests of the reference cluster's nodes. What needs the kernel's grants runs in a process of its own: see `lab`."""
