"""How the processes of a live world talk to one another."""
