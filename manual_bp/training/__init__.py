"""What surrounds the mathematics when a network is trained: data, batches, the step, what a run shows."""
