"""What ``train.py`` is told and what it answers: options, settings, where a run begins and how it ends, predict.

``settings`` is the table of all settings; ``options`` makes the command line from it, ``kept`` reads what a run kept.
``start`` says where a run begins, ``session`` is a run while it trains, ``telling`` what it says, ``ending`` how it
ended, ``seeds`` several runs in a row; ``instead`` tests a network or tries a step without training. The room knows
all the others; ``train.py`` alone comes in, and whoever wants the tables of ``networks``, which needs no package of an
extra.
"""
