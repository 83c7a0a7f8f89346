"""Who is here and what they may do: organisations, members, teams, tokens, audit."""
