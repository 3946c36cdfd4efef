package kafkasink

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Classify returns what an error of Kafka, or of the client, affects. An unknown error
// is ClassRelay, so it never counts against a row.
func Classify(err error) relay.Class {
	if err == nil {
		return relay.ClassOK
	}
	ke, ok := errors.AsType[*kerr.Error](err)
	if !ok {
		return relay.ClassRelay
	}
	switch ke.Code {
	case kerr.ProducerFenced.Code, kerr.InvalidProducerEpoch.Code:
		return relay.ClassLeadership
	case kerr.NotLeaderForPartition.Code, kerr.LeaderNotAvailable.Code,
		kerr.NotEnoughReplicas.Code, kerr.NotEnoughReplicasAfterAppend.Code,
		kerr.RequestTimedOut.Code, kerr.KafkaStorageError.Code,
		kerr.FencedLeaderEpoch.Code, kerr.UnknownLeaderEpoch.Code:
		return relay.ClassPartition
	case kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicID.Code, kerr.InconsistentTopicID.Code,
		kerr.TopicAuthorizationFailed.Code, kerr.InvalidTopicException.Code,
		kerr.PolicyViolation.Code, kerr.UnsupportedCompressionType.Code:
		return relay.ClassTopic
	case kerr.MessageTooLarge.Code, kerr.RecordListTooLarge.Code,
		kerr.InvalidRecord.Code, kerr.InvalidTimestamp.Code:
		return relay.ClassRecord
	}
	return relay.ClassRelay
}

func result(err error) relay.Result {
	return relay.Result{Class: Classify(err), Err: marked(err)}
}

// refused is an error that also wraps relay.ErrCredentials, with the same text.
type refused struct{ error }

func (r refused) Unwrap() []error { return []error{relay.ErrCredentials, r.error} }

// marked adds relay.ErrCredentials to an error that means it.
func marked(err error) error {
	if errors.Is(err, kerr.SaslAuthenticationFailed) {
		return refused{err}
	}
	return err
}
