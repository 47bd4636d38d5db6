"""The mutants that may survive, by ``Mutant.key``: each with the reason why no test can tell it from the code."""

OF_FORMULAS: dict[str, str] = {}

OF_CHECKER: dict[str, str] = {}
