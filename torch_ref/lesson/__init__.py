"""The lesson: the lecture's pass step by step, by hand and by autograd: in a terminal, on a page, in a notebook."""
