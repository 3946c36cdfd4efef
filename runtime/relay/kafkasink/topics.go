package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// defaultMaxMessageBytes is the default of brokers. It is assumed if the relay may not
// read a topic's configuration.
const defaultMaxMessageBytes = 1_048_588

// Topics implements relay.Producer.
func (p *producer) Topics(ctx context.Context, names []string) ([]relay.TopicInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, topicsTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, p.admin)
	if err != nil {
		return nil, fmt.Errorf("kafkasink: looking at topics: %w", err)
	}
	limits := p.limits(ctx, names)
	found := map[string]relay.TopicInfo{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic != nil {
			found[*t.Topic] = describe(t, limits[*t.Topic])
		}
	}
	out := make([]relay.TopicInfo, len(names))
	for i, name := range names {
		info, ok := found[name]
		if !ok {
			info = relay.TopicInfo{Name: name, Problem: relay.Result{
				Class: relay.ClassTopic, Err: errors.New("the broker's answer does not name the topic"),
			}}
		}
		out[i] = info
	}
	return out, nil
}

func describe(t *kmsg.MetadataResponseTopic, limit int) relay.TopicInfo {
	info := relay.TopicInfo{Name: *t.Topic, Partitions: len(t.Partitions), MaxBatchBytes: limit}
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		info.Problem = result(remedy(err))
		return info
	}
	for i := range t.Partitions {
		if part := &t.Partitions[i]; part.Leader < 0 {
			info.Unavailable = append(info.Unavailable, part.Partition)
		}
	}
	return info
}

// remedy adds what to do for the two usual problems with topics.
func remedy(err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("the topic does not exist; create it, the relay creates none: %w", err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("the relay may not write the topic; grant it DESCRIBE and WRITE: %w", err)
	}
	return err
}

// limits reads max.message.bytes of topics, where that is allowed.
func (p *producer) limits(ctx context.Context, names []string) map[string]int {
	out := make(map[string]int, len(names))
	for _, name := range names {
		out[name] = defaultMaxMessageBytes
	}
	configs, err := kadm.NewClient(p.admin).DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return out
	}
	for _, c := range configs {
		for _, kv := range c.Configs {
			if kv.Key != "max.message.bytes" || kv.Value == nil {
				continue
			}
			if n, err := strconv.Atoi(*kv.Value); err == nil && n > 0 {
				out[c.Name] = n
			}
		}
	}
	return out
}
