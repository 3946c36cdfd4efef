package wake

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// The commands of each end, as an ACL grants them.
const (
	writerCommands = "+lpush +ltrim +expire"
	relayCommands  = "+ping +blpop +del"
)

// redisRemedy returns what to do about an answer of the server that a retry does not
// change. It begins with a semicolon. It is "" for other errors.
func redisRemedy(err error, user, key, commands string) string {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(answer.Error(), " ")
	switch code {
	case "NOPERM":
		// Redis refuses to add a key to a user who may use all of them.
		user = cmp.Or(user, "default")
		return fmt.Sprintf("; grant what wake-ups need: ACL SETUSER %s %s, and unless it may use the key already: ACL SETUSER %s ~%s", user, commands, user, key)
	case "WRONGPASS", "NOAUTH":
		return "; check the user and the password of Redis"
	case "WRONGTYPE":
		return fmt.Sprintf("; something else uses the key: look at it with TYPE %s, then delete it with DEL %s", key, key)
	case "READONLY":
		return "; this is a replica: give the address of the primary"
	case "OOM":
		return "; Redis is full: raise maxmemory, or let it evict keys that expire (maxmemory-policy volatile-ttl)"
	}
	return ""
}
