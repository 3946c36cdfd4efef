// Package python has the test of a family of services in Python that moves to
// outboxrelay: Alembic upgrades an event_outbox with rows in it, a writer with
// SQLAlchemy and one in Go change the same aggregates, Redis wakes the relay, and
// consumers with aiokafka and in Go read what it publishes. It has no code beside
// the tests.
//
// The Python service is in the folder service. The tests need a Python that has
// the packages in requirements.txt; OUTBOXGEN_PYTHON names it. Without it they are
// skipped, as they are in CI.
package python
