"""`junctor`: one command per file, each imported only when it is called.

``COMMANDS`` says where each command lives and what the list of commands shows for it. A command's
file has ``register(app)``, which adds it to a Typer application (see `group`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from junctor.app.cli import processes
from junctor.app.lean import collect_seldom
from junctor.errors import JunctorError

__all__ = ["COMMANDS", "main", "run"]

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "Start everything on this machine: database, server, workers."),
    "reload": ("reload", "Replace server and workers one by one, refusing nobody."),
    "demo": ("demo", "Run the demo: simulated calls become contacts, tags and notes."),
    "doctor": ("doctor", "Check the installation and say how to mend it."),
    "import": ("import_", "Import a blueprint as a scenario."),
    "export": ("export", "Export a scenario's blueprint."),
    "scenarios": ("scenarios", "List scenarios, or change what they are bound to."),
    "activate": ("activate", "Publish a scenario's draft and let it run."),
    "deactivate": ("deactivate", "Stop a scenario and remove its hooks at the vendors."),
    "pause": ("pause", "Hold a scenario: what comes in is kept."),
    "resume": ("resume", "Let a paused or draining scenario go on."),
    "drain": ("drain", "Take nothing more, do what waits, then be off."),
    "versions": ("versions", "List, compare and restore a scenario's versions."),
    "runs": ("runs", "List runs, newest first; retry or discard many."),
    "run": ("run", "Show a run, do it again, stop it, or run a scenario once."),
    "queues": ("queues", "List what waits, and what blocks it."),
    "status": ("status", "Say how the installation does."),
    "backtest": ("backtest", "Run a draft over recorded runs, sending nothing."),
    "waits": ("waits", "List what runs wait for."),
    "approvals": ("approvals", "List questions that runs wait for, or decide one."),
    "erase": ("erase", "Find and erase a person's data everywhere."),
    "retention": ("retention", "How long the history of new scenarios stays."),
    "connections": ("connections", "Add, test, list or remove connections."),
    "hooks": ("hooks", "List hooks, or change what they believe."),
    "stores": ("stores", "Keep data stores and their records."),
    "structures": ("structures", "Keep data structures."),
    "call": ("call", "Call one module for real, through a connection."),
    "notices": ("notices", "List what somebody may have to know."),
    "notifications": ("notifications", "Say whom notices are told, and how."),
    "quotas": ("quotas", "Show or set what the organisation may keep."),
    "variables": ("variables", "List, set or remove custom variables."),
    "tokens": ("tokens", "List, create or revoke API tokens."),
    "check": ("check", "Check blueprints and say what would run."),
    "test": ("test", "Run scenario tests: files beside blueprints."),
    "eval": ("eval", "Evaluate expressions."),
    "connectors": ("connectors", "List connectors and their modules."),
    "options": ("options", "List what a field may hold, from the account."),
    "openapi": ("openapi", "Make connectors of OpenAPI documents."),
    "connector": ("connector", "Start a connector of your own, or check one."),
    "sim": ("sim", "Start a vendor simulator."),
    "server": ("server", "Run one server process."),
    "worker": ("worker", "Run one worker process."),
    "backup": ("backup", "Back up the whole installation while it runs."),
    "restore": ("restore", "Restore a backup into an empty database."),
    "migrate": ("migrate", "Bring the database to the current schema."),
}


def run(argv: Sequence[str]) -> int:
    """Runs a command line and returns its exit code: 0 well, 1 failed, 2 wrong usage, 130 ^C."""
    debug = os.environ.get("JUNCTOR_DEBUG", "") not in {"", "0"}
    try:
        start = processes.plainly(argv)
        if start is not None:
            start()
            return 0
        from junctor.app.cli.group import app

        result = app(args=list(argv), prog_name="junctor", standalone_mode=True)
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 1 if leave.code else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader left; write nowhere
        return 0
    except JunctorError as error:
        if debug:
            raise
        _say(error, argv)
        from junctor.app.cli.inputs import Usage

        return 2 if isinstance(error, Usage) else 1
    except Exception as error:
        if debug:
            raise
        from junctor.errors import Fault

        _say(Fault(reason=f"{type(error).__name__}: {error}. JUNCTOR_DEBUG=1 shows more"), argv)
        return 1
    return result if isinstance(result, int) else 0


def _say(error: JunctorError, argv: Sequence[str]) -> None:
    from junctor.app.cli.output import show_error

    show_error(error, as_json="--json" in argv)


def main() -> None:
    """The console script."""
    collect_seldom()
    sys.exit(run(sys.argv[1:]))
