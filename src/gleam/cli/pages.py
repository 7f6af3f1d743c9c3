"""Pages that verbs serve, and how they say so."""

from gleam.errors import BadInput
from gleam.report.served import Answer, Served


def attend(found: dict[str, Answer], port: int, browser: bool) -> None:
    """Serve what is found until Ctrl-C, and say where.

    Raises:
        BadInput: the port is taken.
    """
    try:
        served = Served(found, port)
    except (OSError, OverflowError) as error:
        raise BadInput(f"--port {port}: cannot be listened to ({error}); choose another") from error
    with served:
        print(f"{served.url} (Ctrl-C ends)", flush=True)
        if browser:
            served.open()
        served.wait()
