"""
The real form of Carillon as plain processes: declared services and a small supervisor.

Guarantee: a command ends only when every service it was asked for is ready, or says which one is
not and shows the end of its log. `down` leaves no process behind.

No daemon watches. What runs is known from the state folder's records (a pid and the start time
that the kernel gives it, so a re-used pid is never taken for ours) and from /proc.

Imports: the standard library alone, so that a stack can be stopped, and its ports checked, before
and after there is a virtual environment.
"""
