"""What a file or a notebook's cell has to check: found by its names, given inputs, and checked, each on its own."""
