"""What is walked through: the numbers of a pass by both engines, their order, and the formula of each.

What is walked through    examples (X1, X2, random networks, a digit), size, training (of the network that reads it)
Its parts                 phases (forward, loss, backward, gradients, update)
The formulas              steps (one for each number, in the lecture's order), expression, functions, activations
The numbers               quantities (one pass and update by each engine), both (the two compared), shown (as text)
What else can be done     paper (rounded as on the slides), repeat (many updates), planting (spot the bug)
What a reader asks for    options (of a random network, for every command that draws one)

Nothing is printed here. Terminal and page read from every file.
"""
