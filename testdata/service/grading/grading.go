// Package grading is the business of the sample service: it grades essays and
// tells others about it. Every grade and its event are committed together.
package grading

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/db"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// Service grades essays. It is safe for concurrent use.
type Service struct {
	outbox *outbox.Outbox
}

// New returns a Service that writes through ob.
func New(ob *outbox.Outbox) *Service { return &Service{outbox: ob} }

// CreateBatch makes an empty batch. Nobody is told: the first grade says it all.
func (s *Service) CreateBatch(ctx context.Context, batch string) error {
	return s.outbox.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		return db.New(tx).CreateBatch(ctx, batch)
	})
}

// Grade stores the score of one essay of a batch, inserts the event, and
// returns how many essays of the batch are graded now.
func (s *Service) Grade(ctx context.Context, batch string, essay uuid.UUID, score float64) (number int64, err error) {
	err = s.outbox.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		queries := db.New(tx)
		number, err = queries.CountGraded(ctx, batch)
		if err != nil {
			return fmt.Errorf("grade an essay of batch %s: %w", batch, err)
		}
		err = queries.AddGrade(ctx, db.AddGradeParams{EssayID: essay, BatchID: batch, Score: score})
		if err != nil {
			return fmt.Errorf("grade essay %s: %w", essay, err)
		}
		return events.InsertEssayGradedV1(ctx, tx, events.EssayGradedV1{
			BatchID:  batch,
			EssayID:  essay,
			Number:   number,
			Score:    score,
			Grade:    letter(score),
			GradedAt: time.Now(),
		})
	})
	return number, err
}

// letter is the grade for a score between 0 and 1.
func letter(score float64) events.Grade {
	switch {
	case score >= 0.9:
		return events.GradeA
	case score >= 0.8:
		return events.GradeB
	case score >= 0.7:
		return events.GradeC
	case score >= 0.6:
		return events.GradeD
	case score >= 0.5:
		return events.GradeE
	default:
		return events.GradeF
	}
}
