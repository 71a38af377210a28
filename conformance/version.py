"""The version of the suite, as reports name it."""

VERSION = "0.1.0"
