package deadletter

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The additional headers of a record in a dead-letter topic or a retry topic.
const (
	HeaderTopic     = "kafka_dlt-original-topic"
	HeaderPartition = "kafka_dlt-original-partition"
	HeaderOffset    = "kafka_dlt-original-offset"
	HeaderTimestamp = "kafka_dlt-original-timestamp"
	HeaderGroup     = "kafka_dlt-original-consumer-group"
	HeaderErrorType = "kafka_dlt-exception-fqcn"
	HeaderError     = "kafka_dlt-exception-message"
	HeaderStack     = "kafka_dlt-exception-stacktrace"
	HeaderAttempts  = "retry_topic-attempts"
	HeaderNotBefore = "retry_topic-backoff-timestamp"

	// HeaderRedriveGroup is the header of a record that [Redrive] sent back: the group
	// that dead-lettered it. Consumers of other groups skip the record.
	HeaderRedriveGroup = "outbox_redrive_group"

	// HeaderRedrivePosition is the header of a record that [Redrive] sent back and whose
	// header event_id is not a UUID: where it was published. consume.FromPosition makes the same id from it as
	// from the first record.
	HeaderRedrivePosition = "outbox_redrive_position"
)

// Limits for headers, so that a long error does not make a record too large.
const (
	mostError = 4 << 10
	mostStack = 16 << 10
)

// Letter says where a record of a dead-letter topic or a retry topic came from, and why
// it is there.
type Letter struct {
	Topic     string // where the record was published
	Partition int32
	Offset    int64
	Timestamp time.Time
	Group     string // the group that could not handle it
	Attempts  int    // calls of the handler, in retry topics too
	ErrorType string // the Go type of the error
	Error     string
	Stack     string    // of a panic; "" for other errors
	NotBefore time.Time // when it is due, only in a retry topic; zero: immediately
}

// Headers returns the headers of a record followed by those of the letter. It leaves
// out the headers of a former letter.
func (l Letter) Headers(original []kgo.RecordHeader) []kgo.RecordHeader {
	headers := Strip(original)
	add := func(name string, value []byte) {
		headers = append(headers, kgo.RecordHeader{Key: name, Value: value})
	}
	add(HeaderTopic, []byte(l.Topic))
	add(HeaderPartition, binary.BigEndian.AppendUint32(nil, uint32(l.Partition)))
	add(HeaderOffset, binary.BigEndian.AppendUint64(nil, uint64(l.Offset)))
	add(HeaderTimestamp, millis(l.Timestamp))
	add(HeaderGroup, []byte(l.Group))
	add(HeaderErrorType, []byte(l.ErrorType))
	add(HeaderError, []byte(cut(l.Error, mostError)))
	if l.Stack != "" {
		add(HeaderStack, []byte(cut(l.Stack, mostStack)))
	}
	add(HeaderAttempts, binary.BigEndian.AppendUint32(nil, uint32(l.Attempts)))
	if !l.NotBefore.IsZero() {
		add(HeaderNotBefore, millis(l.NotBefore))
	}
	return headers
}

// Read returns the letter of a record. The error says which header is missing or
// invalid; the package documentation has the format.
func Read(headers []kgo.RecordHeader) (Letter, error) {
	values := map[string][]byte{}
	for _, h := range headers {
		values[h.Key] = h.Value
	}
	if len(values[HeaderTopic]) == 0 {
		return Letter{}, fmt.Errorf("it has no header %s: no consumer of this kind wrote it", HeaderTopic)
	}
	var err error
	number := func(name string, size int) (n uint64) {
		value, set := values[name]
		switch {
		case set && len(value) == size:
			for _, b := range value {
				n = n<<8 | uint64(b)
			}
		case err == nil && set:
			err = fmt.Errorf("its header %s has %d bytes, and should have %d: a big-endian number", name, len(value), size)
		case err == nil && name != HeaderNotBefore:
			err = fmt.Errorf("it has no header %s", name)
		}
		return n
	}
	at := func(name string) time.Time {
		if n := number(name, 8); n != 0 {
			return time.UnixMilli(int64(n))
		}
		return time.Time{}
	}
	l := Letter{
		Topic: string(values[HeaderTopic]), Group: string(values[HeaderGroup]),
		ErrorType: string(values[HeaderErrorType]), Error: string(values[HeaderError]), Stack: string(values[HeaderStack]),
		Partition: int32(number(HeaderPartition, 4)), Offset: int64(number(HeaderOffset, 8)),
		Timestamp: time.UnixMilli(int64(number(HeaderTimestamp, 8))), Attempts: int(number(HeaderAttempts, 4)), NotBefore: at(HeaderNotBefore),
	}
	if err != nil {
		return Letter{}, err
	}
	return l, nil
}

// Strip returns the headers that are not those of a letter or of [Redrive].
func Strip(headers []kgo.RecordHeader) []kgo.RecordHeader {
	return slices.DeleteFunc(slices.Clone(headers), func(h kgo.RecordHeader) bool { return Own(h.Key) })
}

// Own reports whether a header belongs to a letter or to [Redrive].
func Own(name string) bool {
	switch name {
	case HeaderAttempts, HeaderNotBefore, HeaderRedriveGroup:
		return true
	}
	return strings.HasPrefix(name, "kafka_dlt-")
}

func millis(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli()))
}

// cut shortens a text to at most this many bytes, at the end of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const more = "…"
	end := most - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
