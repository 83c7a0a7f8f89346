"""Search: what was typed, taken apart; what every room finds; the order of it; and answers to plain questions."""
