"""
What operators ask a deployment: is all in order (`realtime_check`), what goes on (`realtime_top`),
and send this gateway's clients elsewhere (`drain`).

The commands are interfaces; what they know is in the modules beside them. It stands above all other
packages of shared, which know nothing of it.
"""
