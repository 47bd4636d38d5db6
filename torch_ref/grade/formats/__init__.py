"""What course systems take: a file for each, made of the same marks and names as the table.

``choice`` has the options of the command. ``junit``, ``gradescope`` and ``pages`` write marks. ``archive``,
``nbgrader`` and ``otter`` make an assignment that a course system runs; its notebooks come back to ``hidden``.
"""
