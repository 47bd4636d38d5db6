"""What runs beside a student's code, and holds no answer: it imports torch and numpy, and nothing of this project.

The grader copies this folder to another place and starts it there with a clean path (``process``), so that nothing in
that process leads to a formula of ours. Numbers go in, numbers come out (``wire``).

    zygote     imports torch once, and forks a process for every class of a file
    job        one class of a student's file, method by method, at every point
    formula    one method at one point, however the student's class is written
    whole      the same for a network's whole forward and backward
    watch      the variables that these compute on their way
    calls      a call of a student's method: what it raises, changes or returns instead becomes words
    by_hand    autograd and backward kernels refuse
    closed     so do files, other processes, the network, frames and objects of others
"""
