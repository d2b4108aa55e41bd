"""What the page of one model on one set of images shows."""
