"""What a live world does in the notebook's kernel."""
