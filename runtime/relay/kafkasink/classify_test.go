package kafkasink

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Every error of Kafka with its class. Errors that are not listed have the class relay.
func TestClassifyEveryKafkaError(t *testing.T) {
	t.Parallel()
	named := map[string]relay.Class{
		"PRODUCER_FENCED":                  relay.ClassLeadership,
		"INVALID_PRODUCER_EPOCH":           relay.ClassLeadership,
		"NOT_LEADER_FOR_PARTITION":         relay.ClassPartition,
		"LEADER_NOT_AVAILABLE":             relay.ClassPartition,
		"NOT_ENOUGH_REPLICAS":              relay.ClassPartition,
		"NOT_ENOUGH_REPLICAS_AFTER_APPEND": relay.ClassPartition,
		"REQUEST_TIMED_OUT":                relay.ClassPartition,
		"KAFKA_STORAGE_ERROR":              relay.ClassPartition,
		"FENCED_LEADER_EPOCH":              relay.ClassPartition,
		"UNKNOWN_LEADER_EPOCH":             relay.ClassPartition,
		"UNKNOWN_TOPIC_OR_PARTITION":       relay.ClassTopic,
		"UNKNOWN_TOPIC_ID":                 relay.ClassTopic,
		"INCONSISTENT_TOPIC_ID":            relay.ClassTopic,
		"TOPIC_AUTHORIZATION_FAILED":       relay.ClassTopic,
		"INVALID_TOPIC_EXCEPTION":          relay.ClassTopic,
		"POLICY_VIOLATION":                 relay.ClassTopic,
		"UNSUPPORTED_COMPRESSION_TYPE":     relay.ClassTopic,
		"MESSAGE_TOO_LARGE":                relay.ClassRecord,
		"RECORD_LIST_TOO_LARGE":            relay.ClassRecord,
		"INVALID_RECORD":                   relay.ClassRecord,
		"INVALID_TIMESTAMP":                relay.ClassRecord,
	}
	want, got := map[string]relay.Class{}, map[string]relay.Class{}
	for code := int16(-1); code < 200; code++ {
		err := kerr.TypedErrorForCode(code)
		if err == nil || err.Code != code {
			continue
		}
		want[err.Message] = relay.ClassRelay
		if c, ok := named[err.Message]; ok {
			want[err.Message] = c
		}
		got[err.Message] = Classify(fmt.Errorf("wrapped: %w", err))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("classes (-want +got):\n%s", d)
	}
	if len(want) < 130 {
		t.Errorf("only %d errors were looked at", len(want))
	}
	for name := range named {
		if _, ok := got[name]; !ok {
			t.Errorf("Kafka has no error %s", name)
		}
	}
}

func TestClassifyClientErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]relay.Class{
		nil:                  relay.ClassOK,
		io.EOF:               relay.ClassRelay,
		kgo.ErrClientClosed:  relay.ClassRelay,
		kgo.ErrRecordTimeout: relay.ClassRelay,
		errors.New("x509: certificate signed by unknown authority"): relay.ClassRelay,
	} {
		if got := Classify(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

// An error about the credentials can be told from others without its text, which stays.
func TestAnErrorAboutTheCredentials(t *testing.T) {
	t.Parallel()
	type about struct {
		text                string
		credentials, broker bool
	}
	var got []about
	for _, err := range []error{kerr.SaslAuthenticationFailed, kerr.IllegalSaslState, io.EOF} {
		r := result(fmt.Errorf("wrapped: %w", err)).Err
		got = append(got, about{r.Error(), errors.Is(r, relay.ErrCredentials), errors.Is(r, err)})
	}
	want := []about{
		{"wrapped: " + kerr.SaslAuthenticationFailed.Error(), true, true},
		{"wrapped: " + kerr.IllegalSaslState.Error(), false, true},
		{"wrapped: EOF", false, true},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(about{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
