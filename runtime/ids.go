package outbox

import (
	"strconv"

	"github.com/google/uuid"
)

// DeterministicID returns the UUIDv5 of the parts within the namespace: the same
// parts give the same id, always, so that an event which follows from business
// data is inserted once however often its cause is handled. Each part is hashed
// with its length in bytes and a colon before it, so ("ab", "c") and ("a", "bc")
// differ.
func DeterministicID(namespace uuid.UUID, parts ...string) uuid.UUID {
	var name []byte
	for _, p := range parts {
		name = strconv.AppendInt(name, int64(len(p)), 10)
		name = append(name, ':')
		name = append(name, p...)
	}
	return uuid.NewSHA1(namespace, name)
}
