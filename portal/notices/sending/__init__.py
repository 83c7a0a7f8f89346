"""How what waits leaves the house: claimed as a message, composed, handed over, and what became of it written down."""
