"""The mutants: the suite run against the reference cluster with one fault at a time. A check counts when it dies of its fault."""
