"""What a class may not keep outside of itself: a kill would not erase it."""
