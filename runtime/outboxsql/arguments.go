package outboxsql

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// arguments converts the arguments of statements written for pgx so that they fit every
// driver. Drivers differ in arrays, in []byte and in uuid.UUID; all of them send a
// string as it is, and Postgres reads it as the parameter's type.
func arguments(args []any) []any {
	converted := make([]any, len(args))
	for i, arg := range args {
		converted[i] = argument(arg)
	}
	return converted
}

func argument(arg any) any {
	switch v := arg.(type) {
	case *string:
		if v == nil {
			return nil
		}
		return *v
	case *int32:
		if v == nil {
			return nil
		}
		return int64(*v)
	case uuid.UUID:
		return v.String()
	case pgtype.UUID:
		return v.String()
	case json.RawMessage:
		if v == nil {
			return nil
		}
		return string(v)
	case []string:
		return array(v, func(s string) (string, bool) { return s, true })
	case []pgtype.UUID:
		return array(v, func(id pgtype.UUID) (string, bool) { return id.String(), id.Valid })
	case []json.RawMessage:
		return array(v, func(m json.RawMessage) (string, bool) { return string(m), m != nil })
	case []int32:
		return array(v, func(n int32) (string, bool) { return strconv.FormatInt(int64(n), 10), true })
	case []bool:
		return array(v, func(b bool) (string, bool) { return strconv.FormatBool(b), true })
	}
	return arg
}

// array returns the text form of an array of one dimension. text returns the text of an
// element, and false for NULL.
func array[T any](list []T, text func(T) (string, bool)) any {
	if list == nil {
		return nil
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, element := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		s, given := text(element)
		if !given {
			b.WriteString("NULL")
			continue
		}
		b.WriteByte('"')
		quote(&b, s)
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// quote writes an element without its quotes.
func quote(b *strings.Builder, s string) {
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			b.WriteString(s)
			return
		}
		b.WriteString(s[:i])
		b.WriteByte('\\')
		b.WriteByte(s[i])
		s = s[i+1:]
	}
}
