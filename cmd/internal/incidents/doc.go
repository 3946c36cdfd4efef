// Package incidents has the tests that play the incidents of docs/runbook.md.
//
// Each incident is caused on real servers, with outboxrelay as a process. Then the test
// does what the page says, and takes it from the page itself: it repeats the commands of
// "What you see" until they print the lines that stand there, runs the commands of "Fix",
// and repeats those of "It is fixed when". At the end it reads Kafka: every event has
// arrived, and the order of each key holds. A test lists what took how long:
//
//	go test ./cmd/internal/incidents -run TestIncidents -v
//
// # The notation of the page
//
// A block of the language console has commands, which begin with "$ ", and below each
// the lines that matter of what it prints, in their order. "…" stands for any text.
// $NAME in such a line is the value of that variable; if it has none yet, it gets the
// value that is printed there, and the commands below it can use it.
//
// # A drill
//
// TestDrill causes one incident and waits for somebody to fix it, who knows only the page:
//
//	go test ./cmd/internal/incidents -run TestDrill -v -timeout 0 -drill random -drill-dir /tmp/drill
//	source /tmp/drill/env   # in another terminal
package incidents
