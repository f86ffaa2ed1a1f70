"""How the programs log: where to, from which level on, and what their lines have in common.

Decides the form (`log_format`): JSON where standard error is no terminal, readable lines where it
is one. Our own loggers write from `log_level` on; those of libraries from warnings on, whatever it
is, for below that they say what is sent. Whatever ends a program or a thread unforeseen is a line
as well, in place of the interpreter's own report, which has the exception's text. What a line may
hold is decided by `log_lines.py`. Must never be set up by a library: the SDK leaves its host alone.
"""

from __future__ import annotations

import logging
import secrets
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from footfall.errors import FootfallError
from footfall.log_lines import BOUND, OURS, JsonLines, TextLines
from footfall.settings import Settings

#: A client of Kafka writes some hundred errors a second while a broker is away.
REPEAT_S: Final = 10.0
REPEATS_MAX: Final = 1_000
_LIBRARIES_FROM: Final = logging.WARNING
_log = logging.getLogger(f"{OURS}.logs")


class Rarely(logging.Filter):
    """Lets a message of the Kafka client through once in ten seconds, and drops the running
    commentary of Faust's services ("[^--Service]: Starting...").
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        if record.levelno < logging.WARNING and str(record.msg).startswith("[^"):
            return False
        if not record.name.startswith("aiokafka"):
            return True
        key = (record.name, str(record.msg))
        if record.created - self._last.get(key, 0.0) < REPEAT_S:
            return False
        if len(self._last) >= REPEATS_MAX:
            self._last.clear()
        self._last[key] = record.created
        return True


def configure(program: str, settings: Settings, *, instance: str = "") -> None:
    """Log from now on as `program`. `instance`: which of several it is; a name made for this run
    where it has none of its own.
    """
    own = tuple(name.strip() for name in settings.agents.split(",") if name.strip())
    of = program, instance or secrets.token_hex(4), own
    is_terminal = sys.stderr.isatty()
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if settings.log_format == "json" or (settings.log_format == "auto" and not is_terminal):
        handler.setFormatter(JsonLines(*of))
    elif is_terminal:
        handler = _rich()
        handler.setFormatter(TextLines(*of, is_short=True))
    else:
        handler.setFormatter(TextLines(*of))
    handler.addFilter(Rarely())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=max(level, _LIBRARIES_FROM), force=True)
    for name in (OURS, *own):
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _on_end
    threading.excepthook = _on_end_of_thread
    sys.unraisablehook = _on_unraisable


def is_logging() -> bool:
    """Whether this process is a program whose end is a line."""
    return sys.excepthook is _on_end


def told(error: FootfallError) -> bool:
    """Whether the end of the program was told as a line: where all of its lines are JSON."""
    is_json = any(isinstance(handler.formatter, JsonLines)
                  for handler in logging.getLogger().handlers)
    if is_json:
        _log.critical("the program ends", extra={"error": error})
    return is_json


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Within, every line of this task has these fields, too."""
    token = BOUND.set({**BOUND.get(), **fields})
    try:
        yield
    finally:
        BOUND.reset(token)


def _rich() -> logging.Handler:
    from rich.console import Console
    from rich.logging import RichHandler

    return RichHandler(console=Console(stderr=True), show_path=False, markup=False,
                       highlighter=None, log_time_format="%H:%M:%S")


def _on_end(kind: type[BaseException], error: BaseException, place: types.TracebackType | None
            ) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("the program ends", exc_info=(kind, error, place))


def _on_end_of_thread(args: Any) -> None:
    if not issubclass(args.exc_type, SystemExit):
        _log.error("a thread ended", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def _on_unraisable(found: Any) -> None:
    _log.error("an error that nobody could be told",
               exc_info=(found.exc_type, found.exc_value, found.exc_traceback))
