"""Mutants: of what (`targets`), how they are made (`operators`, `logic`), and how they run (`suite`, `planting`)."""
