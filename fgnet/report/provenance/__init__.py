"""What the page of provenance shows."""
