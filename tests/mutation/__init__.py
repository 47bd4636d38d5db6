"""Mutants of `manual_bp`: how they are made (`mutant`, by `operators`, of a `formula`) and run (`planting`)."""
