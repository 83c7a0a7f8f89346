"""Git hosts behind one Protocol."""
