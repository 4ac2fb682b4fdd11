"""What runs in the process that ends all others."""
