"""Readers of the folders that the field publishes: MMRec, LATTICE, LightGCN, MovieLens."""
