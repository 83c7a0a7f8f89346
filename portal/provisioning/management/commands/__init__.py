"""Django's command line for runs."""
