package outbox

import (
	"slices"
	"strings"
)

// controlKind says what a statement does to its transaction.
type controlKind uint8

const (
	controlSavepoint controlKind = iota + 1
	controlRelease
	controlRollbackTo
	controlEnd // commits, rolls back, or prepares the whole transaction
	// controlMeaning is a statement that can change what an insert means: another
	// schema, another role, another table.
	controlMeaning
)

// control is one statement that controls the transaction.
type control struct {
	kind controlKind
	name string // of the savepoint
}

// controls lists the statements in sql that control the transaction, in order; usually
// there are none. It looks for statements that change the meaning of an insert only if
// there are events, because a rollback to a savepoint can make events wait again.
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

// wordAfter returns the next word, or the one after it if the next word is noise.
func (s *sqlScanner) wordAfter(noise string) string {
	word := s.word()
	if word == noise {
		return s.word()
	}
	return word
}

// outboxTable is the table that the events go to.
const outboxTable = "event_outbox"

// changesMeaning reports whether the statement may change what the insert of an event
// means. If in doubt it says yes, which costs a round trip.
func (s *sqlScanner) changesMeaning() bool {
	switch s.word() {
	case "set":
		return s.setsMore()
	case "reset":
		return !harmlessSetting(s.setting())
	case "alter", "drop", "grant", "revoke", "reassign", "security", "import", // DDL
		"discard", "load",
		"do", "call", "execute", "fetch", "move", "explain": // what they run is not visible
		return true
	case "begin", "start": // inside a transaction they still set its mode
		return s.names("only")
	case "create":
		if scope := s.word(); scope == "temp" || scope == "temporary" {
			start := s.pos
			executes := s.names("execute")
			s.pos = start
			return executes || s.touchesOutbox() // for a temporary table, unless it hides event_outbox
		}
		return true
	case "lock", "copy", "truncate", "delete", "update", "insert", "merge":
		return s.touchesOutbox()
	}
	return s.callsSetConfig()
}

// setsMore reads the rest of SET and reports whether it changes something that an
// insert may depend on.
func (s *sqlScanner) setsMore() bool {
	name := s.setting()
	if name == "local" || name == "session" {
		if next := s.setting(); next != "" {
			name = next
		}
	}
	switch name {
	case "constraints", "characteristics":
		return false // affects when constraints are checked, or later transactions
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

// touchesOutbox reports whether a statement that writes or locks may write to or lock
// the outbox or its delayed events, or calls set_config.
func (s *sqlScanner) touchesOutbox() bool {
	start := s.pos
	if s.names(outboxTable, delayedTable, "pg_settings", "cascade") {
		return true
	}
	s.pos = start
	return s.callsSetConfig()
}

// runsItsArgument has the functions that run a query or cursor which they get as text.
var runsItsArgument = map[string]bool{
	"query_to_xml": true, "query_to_xmlschema": true, "query_to_xml_and_xmlschema": true,
	"cursor_to_xml": true, "cursor_to_xmlschema": true,
	"ts_stat": true, "ts_rewrite": true,
	"crosstab": true, "crosstab2": true, "crosstab3": true, "crosstab4": true, // of the extension tablefunc
}

// callsSetConfig reports whether the rest of a query changes a setting (set_config,
// UPDATE of pg_settings), calls a function that runs a query given as text, or writes
// to the outbox in a WITH.
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
		case strings.EqualFold(word, outboxTable), strings.EqualFold(word, delayedTable):
			outbox = true
		case strings.EqualFold(word, "pg_settings"):
			settings = true
		}
	}
	return writes && (outbox || settings)
}

// harmlessArgument reads the arguments of set_config up to the name of the setting, and
// reports whether no insert depends on that setting.
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

// names reports whether the rest of the statement may contain one of the words, as a
// keyword or a name.
func (s *sqlScanner) names(words ...string) bool {
	for !s.ended() {
		word := s.name()
		if word == unicodeName {
			return true // it may be any name
		}
		if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(word, w) }) {
			return true
		}
	}
	return false
}

// harmlessSetting reports whether a change of the setting cannot affect an insert:
// times, memory, the planner, logging. A policy, a default or a trigger may read any
// other setting.
func harmlessSetting(name string) bool {
	if strings.Contains(name, ".") {
		return false // a setting of the service
	}
	switch name {
	case "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "deadlock_timeout",
		"synchronous_commit", "commit_delay", "commit_siblings",
		"work_mem", "maintenance_work_mem", "hash_mem_multiplier", "temp_buffers",
		"client_min_messages", "plan_cache_mode", "random_page_cost", "seq_page_cost",
		"transaction_isolation", "transaction_deferrable": // they must come before the first query
		return true
	}
	return strings.HasPrefix(name, "enable_") || strings.HasPrefix(name, "log_") || strings.HasPrefix(name, "jit")
}
