package outbox

import "strings"

// controlKind is what a statement does to the transaction it runs in.
type controlKind uint8

const (
	controlSavepoint controlKind = iota + 1
	controlRelease
	controlRollbackTo
	controlEnd // commits, rolls back, or prepares the whole transaction
	// controlMeaning is a statement after which the insert of an event may mean
	// something else: another schema, another role, another table.
	controlMeaning
)

// control is a statement that controls the transaction.
type control struct {
	kind controlKind
	name string // of the savepoint
}

// controls finds the statements in sql that control the transaction, in their
// order; nearly always there are none. Those that change the meaning of an insert
// are looked for only if there are events, which a rollback to a savepoint may have
// wait again.
func controls(sql string, events bool) []control {
	return sqlScanner{text: sql}.controls(events)
}

func (s sqlScanner) controls(events bool) []control {
	var found []control
	for s.statement() {
		start := s.pos
		if c, ok := s.control(); ok {
			found = append(found, c)
			s.skipStatement()
			continue
		}
		s.pos = start
		if events && s.changesMeaning() {
			found = append(found, control{kind: controlMeaning})
		}
		s.pos = start
		s.skipStatement()
	}
	return found
}

// control reads the words that make a statement a control statement.
func (s *sqlScanner) control() (control, bool) {
	word := s.word()
	switch word {
	case "savepoint":
		return control{controlSavepoint, s.word()}, true
	case "release":
		return control{controlRelease, s.wordAfter("savepoint")}, true
	case "commit", "end", "abort":
		return control{kind: controlEnd}, true
	case "rollback":
		next := s.word()
		if next == "work" || next == "transaction" {
			next = s.word()
		}
		if next == "to" {
			return control{controlRollbackTo, s.wordAfter("savepoint")}, true
		}
		return control{kind: controlEnd}, true
	case "prepare":
		return control{kind: controlEnd}, s.word() == "transaction"
	}
	return control{}, false
}

// wordAfter is the next word, or the one behind it when that is the given noise.
func (s *sqlScanner) wordAfter(noise string) string {
	word := s.word()
	if word == noise {
		return s.word()
	}
	return word
}

// outboxTable is the table that events are inserted into.
const outboxTable = "event_outbox"

// changesMeaning reports whether the insert of an event may mean something else
// after the statement. It errs on the side of yes: the price of that is a round
// trip.
func (s *sqlScanner) changesMeaning() bool {
	switch s.word() {
	case "set":
		return s.setsMore()
	case "reset":
		return !harmlessSetting(s.setting())
	case "alter", "drop", "grant", "revoke", "reassign", "security", "import", // DDL
		"discard", "load",
		"do", "call", "execute", "fetch", "move", "explain": // what they run cannot be seen
		return true
	case "begin", "start": // within a transaction they still set its mode
		return s.names("only")
	case "create":
		if scope := s.word(); scope == "temp" || scope == "temporary" {
			start := s.pos
			executes := s.names("execute")
			s.pos = start
			return executes || s.touchesOutbox() // a table to work in, unless it hides ours
		}
		return true
	case "lock", "copy", "truncate", "delete", "update", "insert", "merge":
		return s.touchesOutbox()
	}
	return s.callsSetConfig()
}

// setsMore reads SET behind its first word, and reports whether it sets
// something that an insert may depend on.
func (s *sqlScanner) setsMore() bool {
	name := s.setting()
	if name == "local" || name == "session" {
		if next := s.setting(); next != "" {
			name = next
		}
	}
	switch name {
	case "constraints", "characteristics":
		return false // when constraints are checked; later transactions
	case "transaction":
		return s.names("only") // READ ONLY
	}
	return !harmlessSetting(name)
}

// setting reads the name of a setting, with its dots.
func (s *sqlScanner) setting() string {
	name := s.word()
	for s.skipBlank(); s.pos < len(s.text) && s.text[s.pos] == '.'; s.skipBlank() {
		s.pos++
		name += "." + s.word()
	}
	return strings.ToLower(name)
}

// touchesOutbox reports whether a statement that writes or locks may do so to
// the outbox, or calls set_config on the way.
func (s *sqlScanner) touchesOutbox() bool {
	start := s.pos
	if s.names(outboxTable, "pg_settings", "cascade") {
		return true
	}
	s.pos = start
	return s.callsSetConfig()
}

// runsItsArgument are the functions that run a query or a cursor which they are
// given as text.
var runsItsArgument = map[string]bool{
	"query_to_xml": true, "query_to_xmlschema": true, "query_to_xml_and_xmlschema": true,
	"cursor_to_xml": true, "cursor_to_xmlschema": true,
	"ts_stat": true, "ts_rewrite": true,
	"crosstab": true, "crosstab2": true, "crosstab3": true, "crosstab4": true, // of the extension tablefunc
}

// callsSetConfig reports whether the rest of a query changes a setting by
// set_config or by an UPDATE of pg_settings, has a function run a query that it
// hides in a text, or writes to the outbox in a WITH.
func (s *sqlScanner) callsSetConfig() bool {
	writes, outbox, settings := false, false, false
	for !s.ended() {
		switch word := s.name(); {
		case word == unicodeName, runsItsArgument[strings.ToLower(word)]:
			return true
		case strings.EqualFold(word, "set_config"):
			if !s.harmlessArgument() {
				return true
			}
		case strings.EqualFold(word, "update"), strings.EqualFold(word, "insert"),
			strings.EqualFold(word, "delete"), strings.EqualFold(word, "merge"):
			writes = true
		case strings.EqualFold(word, outboxTable):
			outbox = true
		case strings.EqualFold(word, "pg_settings"):
			settings = true
		}
	}
	return writes && (outbox || settings)
}

// harmlessArgument reads the argument list of set_config as far as the name of
// the setting, and reports whether it is one that no insert depends on.
func (s *sqlScanner) harmlessArgument() bool {
	s.skipBlank()
	if s.pos == len(s.text) || s.text[s.pos] != '(' {
		return false
	}
	s.pos++
	s.skipBlank()
	start := s.pos
	if s.pos == len(s.text) || s.text[s.pos] != '\'' {
		return false // a parameter or an expression
	}
	s.token()
	name := s.text[start:s.pos]
	s.skipBlank()
	if s.pos == len(s.text) || s.text[s.pos] != ',' {
		return false
	}
	return harmlessSetting(strings.ToLower(strings.Trim(name, "'")))
}

// names reports whether the rest of the statement may have one of the words, as a
// keyword or a name.
func (s *sqlScanner) names(words ...string) bool {
	for !s.ended() {
		word := s.name()
		if word == unicodeName {
			return true // it may be any
		}
		for _, w := range words {
			if strings.EqualFold(word, w) {
				return true
			}
		}
	}
	return false
}

// harmlessSetting reports whether no insert of an event can mean something else
// when the setting changes: times, memory, the planner, what is logged. Any other
// may be read by a policy, a default or a trigger.
func harmlessSetting(name string) bool {
	if strings.Contains(name, ".") {
		return false // one of the service's own
	}
	switch name {
	case "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "deadlock_timeout",
		"synchronous_commit", "commit_delay", "commit_siblings",
		"work_mem", "maintenance_work_mem", "hash_mem_multiplier", "temp_buffers",
		"client_min_messages", "plan_cache_mode", "random_page_cost", "seq_page_cost",
		"transaction_isolation", "transaction_deferrable": // they have to come first
		return true
	}
	return strings.HasPrefix(name, "enable_") || strings.HasPrefix(name, "log_") || strings.HasPrefix(name, "jit")
}
