"""The simulated world: its nodes, its clients, its network and its clock."""
