"""What is known of each formula: its equation, its causes, its planted faults."""
