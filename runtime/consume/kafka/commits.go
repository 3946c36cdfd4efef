package kafka

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const textCommitsAgain = "offsets are committed again"

const uncommitted = "offsets not committed, retrying; until they are, a restart or a rebalance brings the handled records again"

var commitHints = hints{
	{kerr.GroupAuthorizationFailed, uncommitted + ": grant this client READ on the group"},
	{kerr.TopicAuthorizationFailed, uncommitted + ": grant this client READ on the topic"},
	{kerr.OffsetMetadataTooLarge, uncommitted + ": an offset has the id of its topic and of the member; raise offset.metadata.max.bytes of the brokers"},
}

// commits counts the commits that failed, in a row: for each topic, and whole requests
// under "". The client retries them and logs nothing.
type commits struct {
	mu     sync.Mutex
	failed map[string]int
}

// add counts an outcome, and returns the failures in a row.
func (c *commits) add(topic string, err error) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.failed, topic)
	} else {
		c.failed[topic]++
	}
	return c.failed[topic]
}

// committed takes the answer to a commit of the client. A commit during a rebalance may
// fail.
func (r *run) committed(client *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	r.origins.committed(client, req, resp, err)
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) || err == nil && resp == nil {
		return
	}
	r.commitEnded("", err)
	if err != nil {
		return
	}
	for i := range resp.Topics {
		var failed error
		for _, p := range resp.Topics[i].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				failed = err
			}
		}
		r.commitEnded(topicOf(req, &resp.Topics[i]), failed)
	}
}

func (r *run) commitEnded(topic string, err error) {
	ctx, about := context.Background(), subject{kind: kindCommits, topic: topic}
	failures := r.commits.add(topic, err)
	if err == nil {
		r.notices.over(ctx, about, textCommitsAgain)
		return
	}
	passing := kerr.IsRetriable(err) || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownMemberID)
	if !passing || failures >= patientWith {
		r.notices.report(ctx, about, -1, false, commitHints.of(err, uncommitted), err)
	}
}

// topicOf returns the name of an answer's topic, which may have its id only.
func topicOf(req *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponseTopic) string {
	for i := range req.Topics {
		if id := req.Topics[i].TopicID; id != [16]byte{} && id == answer.TopicID {
			return req.Topics[i].Topic
		}
	}
	return answer.Topic
}
