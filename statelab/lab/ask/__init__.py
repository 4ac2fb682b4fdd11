"""What a lesson asks: predictions, and exit checks."""
