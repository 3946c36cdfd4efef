package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, topicsTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, p.admin)
	if errors.Is(err, context.DeadlineExceeded) && outer.Err() == nil {
		return nil, fmt.Errorf("kafkasink: the brokers did not answer within %v%s: %w", topicsTimeout, p.sink.dialer.trouble(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("kafkasink: looking at topics: %w", marked(err))
	}
	known := p.settings(ctx, names)
	found := map[string]relay.TopicInfo{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic != nil {
			found[*t.Topic] = describe(t, known[*t.Topic])
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

func describe(t *kmsg.MetadataResponseTopic, s settings) relay.TopicInfo {
	info := relay.TopicInfo{Name: *t.Topic, Partitions: len(t.Partitions), MaxBatchBytes: s.maxBytes, Compacted: s.compacted, Unread: s.unread}
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		info.Problem = result(remedy(err))
		return info
	}
	for i := range t.Partitions {
		switch part := &t.Partitions[i]; {
		case part.Leader < 0:
			info.Unavailable = append(info.Unavailable, part.Partition)
		case len(part.ISR) < s.minISR:
			info.UnderReplicated = append(info.UnderReplicated, part.Partition)
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

// settings are what the sink needs of a topic's configuration.
type settings struct {
	maxBytes  int
	minISR    int // 0: unknown
	compacted bool
	unread    relay.Result // why these are not the topic's
}

// settings reads the configuration of topics, where that is allowed.
func (p *producer) settings(ctx context.Context, names []string) map[string]settings {
	configs, err := kadm.NewClient(p.admin).DescribeTopicConfigs(ctx, names...)
	if err == nil {
		err = errors.New("the broker's answer does not name the topic")
	}
	out := make(map[string]settings, len(names))
	for _, name := range names {
		out[name] = settings{maxBytes: defaultMaxMessageBytes, unread: result(err)}
	}
	for _, c := range configs { // after an error, those of the other topics
		out[c.Name] = settingsOf(c)
	}
	return out
}

func settingsOf(c kadm.ResourceConfig) settings {
	s := settings{maxBytes: defaultMaxMessageBytes, unread: result(c.Err)}
	if c.Err == nil {
		s.unread = relay.Result{Class: relay.ClassTopic, Err: errors.New("the broker does not tell the topic's cleanup.policy")}
	}
	for _, kv := range c.Configs {
		switch kv.Key {
		case "max.message.bytes":
			if n, err := strconv.Atoi(kv.MaybeValue()); err == nil && n > 0 {
				s.maxBytes = n
			}
		case "min.insync.replicas":
			if n, err := strconv.Atoi(kv.MaybeValue()); err == nil {
				s.minISR = n
			}
		case "cleanup.policy":
			if kv.Value != nil {
				s.compacted, s.unread = strings.Contains(*kv.Value, "compact"), relay.Result{}
			}
		}
	}
	return s
}
