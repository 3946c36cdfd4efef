package replay

import (
	"context"
	"fmt"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Redirect returns a sink that writes every record to one topic. Records keep the topic of
// their row until then, so that a sink around it, such as one of package framing, still
// sees it.
func Redirect(sink relay.Sink, topic string) relay.Sink { return &redirect{sink, topic} }

type redirect struct {
	relay.Sink

	topic string
}

// Open implements relay.Sink.
func (r *redirect) Open(ctx context.Context) (relay.Producer, error) {
	inner, err := r.Sink.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &redirected{inner, r.topic}, nil
}

type redirected struct {
	relay.Producer

	topic string
}

// Topics implements relay.Producer: it describes the one topic, under its own name.
func (r *redirected) Topics(ctx context.Context, names []string) ([]relay.TopicInfo, error) {
	infos, err := r.Producer.Topics(ctx, []string{r.topic})
	if err != nil {
		return nil, err
	}
	if len(infos) != 1 {
		return nil, fmt.Errorf("replay: the sink described %d topics instead of topic %s", len(infos), r.topic)
	}
	out := make([]relay.TopicInfo, len(names))
	for i := range out {
		out[i] = infos[0]
	}
	return out, nil
}

// Send implements relay.Producer.
func (r *redirected) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	out := make([]relay.Record, len(wave))
	for i, record := range wave {
		record.Topic = r.topic
		out[i] = record
	}
	r.Producer.Send(ctx, out, results)
}
