"""The results as a research object crate."""
