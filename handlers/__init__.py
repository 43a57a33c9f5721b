"""The HTTP edge: one file for each first half of an operationId, one function for each second half.

A handler turns JSON into values, calls one service, and turns its answer into JSON. What it needs is given to it by
name: `store`, `caller`, `now`, `payload`, `media_type`, and the operation's parameters.
"""
