"""The git hosts that the portal can work with, by the word that stands for them in a `repoUrl`."""

from portal.githosts.builtin import HOST, BuiltinHost
from portal.githosts.protocol import GitHost

HOSTS: dict[str, GitHost] = {HOST: BuiltinHost()}
