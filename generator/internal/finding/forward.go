package finding

import (
	"cmp"
	"strings"
)

// Forward says how a change of a schema is reported to its author if it is checked
// for readers with the old schema. The rules are about a step from the schema of the
// data to the schema of the reader. Forward, that is from the new schema to the old
// one, the opposite of what the author did.
type Forward struct {
	// Edit is the id of the rule for what the author did.
	Edit string
	// Message is its Rule.Message, or a better one.
	Message string
	// Fix says what to do; empty if the change is compatible.
	Fix string
}

// ForwardOf returns the Forward of a rule of Compat that applies to the step from the
// new schema to the old one.
func ForwardOf(r Rule) Forward {
	f := Forward{Edit: r.Opposite, Message: cmp.Or(r.forwardMessage, book().rules[r.Opposite].Message)}
	if r.Allowed == Always { // what old data may do to new readers says nothing here
		f.Message, _, _ = strings.Cut(f.Message, ": data of WRITER")
		f.Message, _, _ = strings.Cut(f.Message, ": its data")
	}
	if r.Fix != "" {
		f.Fix = cmp.Or(r.forwardFix, "keep the keyword as it was") + readersFirst
	}
	return f
}

// FixForBoth returns the fix of a rule of Compat if readers with the new schema and
// readers with the old one both count. What only allows more breaks the latter.
func FixForBoth(r Rule) string {
	if !strings.Contains(r.Fix, ", which is compatible") {
		return r.Fix
	}
	return cmp.Or(r.forwardFix, "keep the keyword as it was") + "; or " + NewVersion
}

// NewVersion is the fix that always works: two versions side by side.
const NewVersion = "release the change as a new event version"

// InVersion returns a fix that says, where it proposes a new event version, in what that
// version is described, and what is under x-outbox there.
func InVersion(fix, in, outbox string) string {
	return strings.Replace(fix, NewVersion, NewVersion+", in "+in+" of its own with "+outbox, 1)
}

// readersFirst is the second part of every fix at level FORWARD.
const readersFirst = "; or update all readers first and check the event for that, with compat: {level: BACKWARD} in x-outbox; or " + NewVersion

// forwardVerdict says whether readers with the old schema read the data after the edit
// that a rule of Compat is about; "" if that is the same as for readers with the new one.
func (r Rule) forwardVerdict() string {
	allowed := map[Allowance]bool{}
	for _, other := range book().rules {
		if other.Opposite == r.ID {
			allowed[other.Allowed] = true
		}
	}
	switch {
	case len(allowed) > 1:
		return "at level FORWARD, it depends on the old schema"
	case len(allowed) == 0 || allowed[r.Allowed]:
		return ""
	}
	for a := range allowed {
		return "at level FORWARD, " + strings.ReplaceAll(a.verdict(), "; ", ", but ")
	}
	return ""
}
