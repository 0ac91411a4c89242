"""The operator's answer: are these settings affected, by what, at which rate, and what helps.

``deployment`` reads what the user has (settings, a systemd unit, a Dockerfile, nginx), ``tables`` what stored runs
show, ``answering`` puts the two together without running anything, ``trying`` runs the settings and each remedy.
"""
