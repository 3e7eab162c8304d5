"""Codecs around the one conversation core: they decode to `Utterance` and encode events."""
