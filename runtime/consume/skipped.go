package consume

import (
	"context"
	"log/slog"
	"maps"
	"sync"
)

// rememberedTypes limits the event types that are counted and logged one by one,
// because a producer could write a new type into each record.
const rememberedTypes = 1_000

// skipped counts the records whose event type has no handler.
type skipped struct {
	mu     sync.Mutex
	total  uint64
	byType map[string]uint64
}

// add counts a record, and reports whether it is the first of its type.
func (s *skipped) add(eventType string) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	n, known := s.byType[eventType]
	if !known && len(s.byType) >= rememberedTypes {
		return false
	}
	if s.byType == nil {
		s.byType = map[string]uint64{}
	}
	s.byType[eventType] = n + 1
	return !known
}

func (s *skipped) counts() (total uint64, byType map[string]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, maps.Clone(s.byType)
}

// skip counts a record without a handler, and logs the first one of its type.
func (r *Router) skip(ctx context.Context, m Message, eventType string) {
	if !r.skipped.add(eventType) {
		return
	}
	record := named(m, eventType)
	attrs := []slog.Attr{slog.String("event_type", eventType)}
	if id, err := m.identity(); err == nil && id.eventType != "" && id.eventType != eventType {
		attrs = append(attrs, slog.String("event_type_in_envelope", id.eventType))
	}
	attrs = append(attrs, slog.String("topic", record.Topic), slog.Int("partition", int(record.Partition)),
		slog.Int64("offset", record.Offset), slog.String("event_id", record.EventID), slog.Any("handled_types", r.EventTypes()))
	r.log.LogAttrs(ctx, slog.LevelInfo, "no handler for this event type: its records are skipped; further ones are only counted", attrs...)
}
