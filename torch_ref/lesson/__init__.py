"""The lesson: the lecture's pass step by step, by hand and by autograd: in a terminal, on a page, in a notebook.

    quantities      every number of a pass and an update, by both engines, under the lecture's names
    walk            their order, and the formula of each (expression); paper rounds as the slides do
    examples, both  what is walked through, and how far the engines are apart; planting: with a fault
    terminal        a walk as text (sheet, table, tensors), document as JSON, outcomes as both
    page            the page: HTML, style and scripts, and what Python puts in
    notebook        the lecture in code, a script that opens as a notebook

The commands are ``compare_command`` and ``lesson_command``, one floor up.
"""
