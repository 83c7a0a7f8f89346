"""Who acts: made by the gate or by name, handed to every action, and kept by rows that act later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.utils import timezone

from portal.accounts.models import ApiToken, User, Way
from portal.kit.errors import Forbidden


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A program or an AI agent that acts for a person: a principal of its own, and never more than its person.

    key     what it is known by across its actions, unique in the organisation
    scopes  some of permissions.SCOPES; beside them its person's role and token bind it too
    budget  how many recorded actions it may take in the organisation in all
    """

    key: str
    name: str
    scopes: tuple[str, ...]
    budget: int
    expires_at: datetime

    @property
    def is_over(self) -> bool:
        """Whether its time is up."""
        return self.expires_at <= timezone.now()

    @property
    def over_sentence(self) -> str:
        """What an agent is told whose time is up."""
        return f"{self.name} may no longer act: its time is over. Its person can grant it more."


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, by which credential, from where and how. `person` is None for Slipway itself.

    `name` is how the person was called then: it stays when the account is gone.
    """

    way: Way
    person: User | None = None
    name: str = "Slipway"
    token_id: int | None = None
    token_label: str = ""
    address: str | None = None
    agent: Agent | None = None

    @classmethod
    def entered(
        cls, person: User, way: Way, *, address: str | None, token: ApiToken | None = None, agent: Agent | None = None
    ) -> Self:
        """Somebody whom the gate let in; `address` is the client's."""
        return cls(
            way=way,
            person=person,
            name=str(person),
            token_id=token.pk if token else None,
            token_label=str(token) if token else "",
            address=address,
            agent=agent,
        )

    @classmethod
    def command(cls, person: User | None = None) -> Self:
        """The operator at the command line, perhaps in somebody's name."""
        return cls(way=Way.COMMAND, person=person, name=str(person or "Slipway"))

    @classmethod
    def task(cls, person: User | None) -> Self:
        """Work in the background in somebody's name, where no row kept how they came in."""
        return cls(way=Way.TASK, person=person, name=str(person or "Slipway"))

    @classmethod
    def slipway(cls) -> Self:
        """Nobody asked: the portal does it by itself."""
        return cls(way=Way.TASK)

    @classmethod
    def kept(cls, facts: Mapping[str, Any], person: User | None) -> Self:
        """Who asked for what is done only now: the inverse of `facts`. `person` is the row's own link, None if gone.

        A row from before facts were kept acts as its person's background work.
        """
        if "way" not in facts:
            return cls.task(person)
        said = dict(facts)
        agent = said.pop("agent")
        if agent:
            scopes, end = tuple(agent["scopes"]), datetime.fromisoformat(agent["expires_at"])
            said["agent"] = Agent(**{**agent, "scopes": scopes, "expires_at": end})
        return cls(**{**said, "way": Way(said["way"]), "person": person})

    def facts(self) -> dict[str, Any]:
        """What a row keeps besides its link to the person; no secrets."""
        agent = asdict(self.agent) | {"expires_at": self.agent.expires_at.isoformat()} if self.agent else None
        return {
            "way": self.way.value,
            "name": self.name,
            "token_id": self.token_id,
            "token_label": self.token_label,
            "address": self.address,
            "agent": agent,
        }

    @property
    def user(self) -> User:
        """The person, where only a person can act. Raises Forbidden for Slipway itself."""
        if self.person is None:
            raise Forbidden("Only a person can do this.")
        return self.person

    def __str__(self) -> str:
        return f"{self.agent.name} for {self.name}" if self.agent else self.name
