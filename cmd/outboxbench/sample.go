package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/testdata/service/events"
)

const (
	topic   = "grading.essay.graded.v1"
	keys    = 1_000
	service = events.Service
	// commentBytes makes the envelope of a sample slightly more than 500 bytes long.
	commentBytes = 40
)

// batchID returns the key of an event.
func batchID(n int) string { return fmt.Sprintf("batch-%04d", n%keys) }

// sample returns an event of some batch.
func sample(n int) events.EssayGradedV1 {
	comment := strings.Repeat("well ", commentBytes/5)
	return events.EssayGradedV1{
		BatchID:  batchID(n),
		EssayID:  uuid.New(),
		Number:   int64(n/keys + 1),
		Score:    rand.Float64(),
		Grade:    events.GradeB,
		Comment:  &comment,
		GradedAt: time.Now().UTC(),
	}
}
