"""Pages to runs: parameters, cache, single runs and sweeps."""
