"""What surrounds the mathematics when a network is trained: data, batches, the step, schedules."""
