package outbox

import (
	"strconv"

	"github.com/google/uuid"
)

// DeterministicID returns the UUIDv5 of the parts within the namespace. The same parts
// always give the same id, so an event that is derived from business data is inserted
// once even if its cause is handled again. Before hashing, each part is prefixed with
// its length in bytes and a colon, so ("ab", "c") and ("a", "bc") differ.
func DeterministicID(namespace uuid.UUID, parts ...string) uuid.UUID {
	var name []byte
	for _, p := range parts {
		name = strconv.AppendInt(name, int64(len(p)), 10)
		name = append(name, ':')
		name = append(name, p...)
	}
	return uuid.NewSHA1(namespace, name)
}
