"""What a lesson shows besides the panel."""
