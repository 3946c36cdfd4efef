// Package incidents has the tests that play the incidents of docs/runbook.md.
//
// Each incident is caused on real servers, with outboxrelay as a process. Then the test
// does what the page says, and takes it from the page itself: it repeats the commands of
// "What you see" until they print the lines below them, runs the commands of "Fix", and
// repeats those of "It is fixed when". At the end it reads Kafka: every event has arrived,
// and the order of each key holds. It prints the table of times in docs/contributing.md:
//
//	go test ./cmd/internal/incidents -run TestIncidents -v
//
// # The notation of the page
//
// A block of the language console has commands, which begin with "$ ", and below each
// the lines that matter of what it prints, in their order. "…" stands for any text. Each
// command of "Fix" has to succeed, except outboxrelay doctor, which fails while anything is
// wrong.
// $NAME in such a line is the value of that variable. If it has none yet, it gets the value
// that is printed there, and the commands below it can use it.
//
// # A drill
//
// TestDrill causes one incident, and waits until somebody who knows only the page has fixed
// it and creates a file. Then it checks the result:
//
//	go test ./cmd/internal/incidents -run TestDrill -v -count 1 -timeout 0 -drill random -drill-dir /tmp/drill
//	source /tmp/drill/env   # in another terminal
//	touch /tmp/drill/done   # when it is fixed
package incidents
