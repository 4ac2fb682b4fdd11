"""What runs in the process that stands between two nodes once their link has a fault."""
