"""The command `kitt`: a client of the server, and the commands that run it."""
