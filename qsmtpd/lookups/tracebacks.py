"""What an error that is kept, or that a library keeps, must not keep with it."""


def forget_tracebacks(error: BaseException) -> None:
    """Of an error, and of what led to it.

    A frame that has its own error in a variable would be kept until the collector of cycles comes, which is seldom, and with it
    all that called it: a connection, its look-ups, their databases; a socket.
    """
    origin: BaseException | None = error
    while origin is not None:
        origin.__traceback__ = None
        origin = origin.__cause__ or origin.__context__
