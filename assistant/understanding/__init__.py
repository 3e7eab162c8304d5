"""From words to a reading: what the local tier understands without any model."""
