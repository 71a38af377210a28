"""The OCI writer: layers, manifests, indexes, artifacts, layouts on disk and the push to a registry.

It writes what the OCI image specification 1.1 says, and whatever else it is told to: names, types and descriptors that
no sane builder would write are what several requirements are about.
"""
