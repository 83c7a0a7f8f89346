"""Django's PostgreSQL with waits that have a bound: what DATABASES names as its engine."""
