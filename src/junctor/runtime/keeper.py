"""Making what a run has to say durable: its journal, and what it writes to data stores."""

from __future__ import annotations

import asyncio
from datetime import datetime

from junctor.engine.commands import Settle
from junctor.engine.journal import Journal
from junctor.errors import Inconsistent, JunctorError, StaleFence
from junctor.ports.ledger import Kept, WaitRow
from junctor.runtime.committer import Committer
from junctor.runtime.flight import Flight, polled
from junctor.runtime.writes import next_write, running_row

__all__ = ["Keeper"]


class Keeper:
    """Hands flights' writes to the group commit. One per worker process."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    def flush(
        self, flight: Flight, *, due: datetime | None = None, opens: WaitRow | None = None
    ) -> asyncio.Future[bool] | None:
        """Sends what is collected to the group commit; with ``due`` the run waits from then on."""
        flight.unsaved = False
        if not flight.journal.size and not flight.unsent_answer and due is None:
            return None
        write = next_write(flight)
        if due is not None or not flight.visible:
            write.row = running_row(flight, due, "time" if opens is None else opens.kind)
            write.opens = () if opens is None else (opens,)
            write.due_at = due
            write.done = due is not None and flight.stored
            write.blocks = due is not None and flight.claim.ordered
            flight.visible = True
        return self._committer.submit(write)

    def save(self, flight: Flight) -> None:
        """Sends what should be durable to the group commit, without waiting for it."""
        if flight.unsaved:
            self.flush(flight)

    async def settled(self, flight: Flight) -> None:
        """Makes what the journal holds durable."""
        future = self.flush(flight)
        if future is not None and not await future:
            raise StaleFence

    async def keep(
        self, flight: Flight, kept: Kept, cycle: int, journal: Journal | None = None
    ) -> str:
        """Applies writes, in one commit with the records of ``journal``. If somebody changed what
        they are based on, neither is written; the answer says what that was.
        """
        if not any(kept):
            return ""
        self.flush(flight)  # what was recorded before comes before, or with it
        mark = flight.staged.mark()
        try:
            flight.staged.applied(kept)
            journal = journal or Journal()
            journal.settled(cycle, flight.staged.as_record())
            write = next_write(flight, journal)
            write.kept = kept
            if not await self._committer.submit(write):
                raise StaleFence
            if write.conflict:
                flight.staged.restore(mark)
        finally:
            flight.staged.release()
        return write.conflict

    async def settle(self, flight: Flight, command: Settle) -> JunctorError | None:
        """Commits a cycle, or takes it back."""
        rollback = command.records == "rollback"
        over = () if command.records == "hold" else ("cycle",)  # resumed, it goes on in this cycle
        if flight.staged.drop(*over, *(("scenario",) if rollback else ())):
            flight.journal.settled(command.cycle, flight.staged.as_record())
        if rollback:
            return None
        commit = command.records == "commit"
        kept = flight.staged.to_apply() if commit else polled(flight)
        against = await self.keep(flight, kept, command.cycle)
        if against:
            await self._leave(flight, command.cycle)
        return Inconsistent(what=against) if against else None

    async def _leave(self, flight: Flight, cycle: int) -> None:
        """A cycle that could not be committed stops the run. It keeps its items, as any run that
        stops does; where another run has moved the trigger meanwhile, it stays there. Whoever
        resumes the run wants its records written all the same, but not the trigger put back.
        """
        kept = polled(flight)
        if await self.keep(flight, kept, cycle):
            flight.staged.applied(kept)
            flight.journal.settled(cycle, flight.staged.as_record())
