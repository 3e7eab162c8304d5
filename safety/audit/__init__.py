"""The gate's log as evidence: how entries are chained, sealed, exported and checked offline.

Needs the standard library, `cryptography` and `rfc8785`, and nothing else of KITTY.
"""
