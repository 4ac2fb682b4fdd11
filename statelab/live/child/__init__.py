"""What runs in the process of one life of a node."""
