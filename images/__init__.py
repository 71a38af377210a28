"""What is mounted: the asset images, one folder each, and the writer that makes them from nothing.

Everything here is a value: the same input gives the same bytes and the same digests, on every machine. Nothing in this
package talks to a cluster; `oci.push` alone talks to a registry.
"""
