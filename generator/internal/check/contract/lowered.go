package contract

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Lowered reports that the level or the policy of an event changed so that this check
// does not report incompatible changes that it would report with the earlier ones, or
// that a lower level will hide later ones. earlier are the versions of the event, the
// oldest first; pos is the place where the project file sets the level.
func Lowered(now *schema.Event, earlier []Before, pos finding.Pos, opts Options) []finding.Finding {
	before := earlier[len(earlier)-1]
	old := before.Event.Compat
	if old == now.Compat {
		return nil
	}
	if now.OwnCompat != (schema.CompatRule{}) || before.Event.OwnCompat != (schema.CompatRule{}) {
		pos = now.Place("compat")
	}
	was := fmt.Sprintf("the level changed from %s to %s", old.Level, now.Compat.Level)
	if old.Level == now.Compat.Level {
		was = fmt.Sprintf("the policy changed from %s to %s", old.Policy, now.Compat.Policy)
	}
	hidden := hiddenChanges(now, earlier, opts)
	if len(hidden) > 0 {
		ids := make([]string, 0, len(hidden))
		for _, f := range hidden {
			ids = append(ids, f.ID+" at "+f.Pos.String())
		}
		return []finding.Finding{found("compat-lowered", now.Type, pos, before.pos(before.Event.Place("compat")),
			was+" in the same change, which hides: "+strings.Join(ids, ", "))}
	}
	if !compat.Level(now.Compat.Level).Covers(compat.Level(old.Level)) {
		f := found("compat-lowered", now.Type, pos, before.pos(before.Event.Place("compat")), was+": later changes are checked less")
		f.Severity, f.Hint = finding.Note, ""
		return []finding.Finding{f}
	}
	return nil
}

// hiddenChanges returns the errors that the earlier level and policy give and the new
// ones do not, each place and id once.
func hiddenChanges(now *schema.Event, earlier []Before, opts Options) []finding.Finding {
	before := earlier[len(earlier)-1]
	type change struct {
		pos finding.Pos
		id  string
	}
	told := map[change]bool{}
	all := func(e *schema.Event) []finding.Finding {
		if e.Compat.Level == string(compat.None) {
			return nil
		}
		return append(Compare(e, before), Schemas(e, earlier, opts)...)
	}
	for _, f := range all(now) {
		told[change{f.Pos, f.ID}] = true
	}
	as := *now
	as.Compat = before.Event.Compat
	var hidden []finding.Finding
	for _, f := range all(&as) {
		if k := (change{f.Pos, f.ID}); f.Severity == finding.Error && !told[k] {
			told[k] = true
			hidden = append(hidden, f)
		}
	}
	return hidden
}
