"""What passes between rooms: Dataset, Features, Graph, Embeddings; errors, files, progress."""
