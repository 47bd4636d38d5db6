"""What a training step costs, measured against everything that a user would pick instead.

    python -m benchmarks             every case and every contender; writes the tables and plots to results/
    python -m benchmarks --check     the same, and exit code 0 only where every figure of ``gates`` is reached
    python -m benchmarks --quick     the small cases in under a minute

A contender is one file in ``contenders``. All of them compute the same step: ``equality`` makes sure of it.
"""
