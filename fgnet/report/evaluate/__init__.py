"""What the page of all scores shows."""
