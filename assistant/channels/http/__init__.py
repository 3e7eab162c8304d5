"""The REST door: JSON in, JSON or server-sent events out."""
