"""What a training step costs, measured against everything that a user would pick instead.

    python -m benchmarks             every case and every contender; writes the tables and plots to results/
    python -m benchmarks --check     the same, and exit code 0 only where every promise of ``gates`` is kept
    python -m benchmarks --quick     the small cases in under a minute

Files, from the bottom up: ``cases`` (what is computed), ``contenders`` (who computes it, a file each), ``equality``
(whether all compute the same step), ``times`` (what was timed), ``worker`` and ``steps`` (the clock), a file for each
other part, ``gates`` (promises and aims), ``tables`` and ``plots``. Nothing imports what comes after it.
"""
