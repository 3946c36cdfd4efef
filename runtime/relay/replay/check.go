package replay

import (
	"context"
	"errors"
	"fmt"
)

// CheckTopics looks at topics as Run does, and sends nothing. It returns a *TopicError for each
// one to which a Run with this Config would not send, in the order of names. Run finds such a
// topic only when it has sent the events before it.
func CheckTopics(ctx context.Context, cfg Config, names []string) ([]*TopicError, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, topics: map[string]*topic{}}
	defer r.close()
	var refused []*TopicError
	for _, name := range names {
		_, err := r.describe(ctx, name)
		if one, ok := errors.AsType[*TopicError](err); ok {
			refused = append(refused, one)
			continue
		}
		if err != nil {
			return refused, fmt.Errorf("check the topics: %w", err)
		}
	}
	return refused, nil
}
