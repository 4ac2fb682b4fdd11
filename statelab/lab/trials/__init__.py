"""Many runs in other processes: checks and sweeps."""
