"""What the page of the scores of masks of all models shows."""
