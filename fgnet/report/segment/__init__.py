"""What the page of one segmentation shows."""
