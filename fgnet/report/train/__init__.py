"""What the page of one model's training shows."""
