"""What runs beside a student's code, and holds no answer: it imports torch and numpy, and nothing of this project.

The grader copies this folder to another place and starts it there with a clean path (``process``), so that nothing in
that process leads to a formula of ours. Numbers go in, numbers come out (``wire``).

    zygote     imports torch once, and forks a process for every formula
    job        one formula of a student's file at every point
    formula    one formula at one point, however the student's class is written
    calls      a call of a student's method: what it raises, changes or returns instead becomes words
    by_hand    autograd and backward kernels refuse
    closed     so do files, other processes, the network, frames and objects of others
"""
