"""What is walked through: the numbers of a pass by both engines, their order, and the formula of each."""
