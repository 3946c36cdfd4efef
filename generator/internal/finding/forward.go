package finding

import "strings"

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
	f := Forward{Edit: opposite(r.ID), Message: forwardMessages[r.ID]}
	if f.Message == "" {
		f.Message = rules[f.Edit].Message
	}
	if r.Allowed == Always { // what old data may do to new readers says nothing here
		f.Message, _, _ = strings.Cut(f.Message, ": data of WRITER")
		f.Message, _, _ = strings.Cut(f.Message, ": its data")
	}
	if r.Fix != "" {
		f.Fix = forwardFixes[r.ID]
		if f.Fix == "" {
			f.Fix = "keep the keyword as it was"
		}
		f.Fix += readersFirst
	}
	return f
}

// readersFirst is the second part of every fix at level FORWARD.
const readersFirst = "; or update all readers first and check the event for that, with compat: {level: BACKWARD} in x-outbox; or " + NewVersion

// opposite returns the rule for the opposite of the step that a rule is about.
func opposite(id string) string {
	if other, ok := opposites[id]; ok {
		return other
	}
	for _, pair := range [][2]string{
		{"-added", "-removed"}, {"-increased", "-decreased"}, {"-widened", "-narrowed"}, {"-allowed", "-forbidden"},
	} {
		for i := range pair {
			if stem, ok := strings.CutSuffix(id, pair[i]); ok {
				if _, known := rules[stem+pair[1-i]]; known {
					return stem + pair[1-i]
				}
			}
		}
	}
	return id
}

// opposites has the rules whose opposite has another name, or that share one.
var opposites = map[string]string{
	"enum-value-added":    "enum-value-removed",
	"enum-value-removed":  "enum-value-added",
	"combination-widened": "combination-changed",

	"multiple-of-increased":       "multiple-of-reduced",
	"multiple-of-reduced":         "multiple-of-increased",
	"dependent-required-extended": "dependent-required-narrowed",
	"dependent-required-narrowed": "dependent-required-extended",

	"property-added-to-open-model":                                 "property-removed-from-open-model",
	"empty-property-added-to-open-model":                           "property-removed-from-open-model",
	"required-property-added-to-open-model":                        "property-removed-from-open-model",
	"required-property-with-default-added-to-open-model":           "property-removed-from-open-model",
	"property-added-to-closed-model":                               "property-removed-from-closed-model",
	"required-property-added-to-closed-model":                      "property-removed-from-closed-model",
	"required-property-with-default-added-to-closed-model":         "property-removed-from-closed-model",
	"covered-property-added-to-partially-open-model":               "covered-property-removed-from-partially-open-model",
	"uncovered-property-added-to-partially-open-model":             "uncovered-property-removed-from-partially-open-model",
	"required-property-added-to-partially-open-model":              "covered-property-removed-from-partially-open-model",
	"required-property-with-default-added-to-partially-open-model": "covered-property-removed-from-partially-open-model",
	"property-removed-from-open-model":                             "property-added-to-open-model",
	"property-removed-from-closed-model":                           "property-added-to-closed-model",
	"false-property-removed-from-closed-model":                     "property-added-to-closed-model",
	"covered-property-removed-from-partially-open-model":           "covered-property-added-to-partially-open-model",
	"uncovered-property-removed-from-partially-open-model":         "uncovered-property-added-to-partially-open-model",
	"property-became-required":                                     "property-became-optional",
	"property-with-default-became-required":                        "property-became-optional",
	"property-became-optional":                                     "property-became-required",

	"item-added-to-open-model":                         "item-removed-from-open-model",
	"empty-item-added-to-open-model":                   "item-removed-from-open-model",
	"item-added-to-closed-model":                       "item-removed-from-closed-model",
	"covered-item-added-to-partially-open-model":       "covered-item-removed-from-partially-open-model",
	"uncovered-item-added-to-partially-open-model":     "uncovered-item-removed-from-partially-open-model",
	"item-removed-from-open-model":                     "item-added-to-open-model",
	"item-removed-from-closed-model":                   "item-added-to-closed-model",
	"false-item-removed-from-closed-model":             "item-added-to-closed-model",
	"covered-item-removed-from-partially-open-model":   "covered-item-added-to-partially-open-model",
	"uncovered-item-removed-from-partially-open-model": "uncovered-item-added-to-partially-open-model",
}

// forwardMessages has the messages that differ from those of the edit at level
// BACKWARD. READER is the new schema and WRITER the old one, as there.
var forwardMessages = map[string]string{
	"required-property-added-to-open-model":                        "READER does not have the property %s, which WRITER requires",
	"required-property-with-default-added-to-open-model":           "READER does not have the property %s, which WRITER requires, with a default, and allows any value there",
	"required-property-added-to-closed-model":                      "READER does not have the property %s, which WRITER requires",
	"required-property-with-default-added-to-closed-model":         "READER does not have the property %s, which WRITER requires, with a default",
	"required-property-added-to-partially-open-model":              "READER does not have the property %s, which WRITER requires",
	"required-property-with-default-added-to-partially-open-model": "READER does not have the property %s, which WRITER requires, with a default",
	"property-became-optional":                                     "READER requires the property %s; WRITER does not",
	"property-removed-from-closed-model":                           "READER declares the property %s, which WRITER forbids",
	"property-added-to-closed-model":                               "READER forbids the property %s of WRITER",
	"uncovered-property-added-to-partially-open-model":             "READER does not declare the property %s and allows values there that WRITER does not",
	"uncovered-property-removed-from-partially-open-model":         "READER declares the property %s with values that WRITER does not allow there",
	"covered-property-added-to-partially-open-model":               "READER does not declare the property %s and allows there only what WRITER allows",
	"covered-property-removed-from-partially-open-model":           "READER declares the property %s with values that WRITER allows there",
	"item-added-to-closed-model":                                   "READER forbids item %d of WRITER",
	"uncovered-item-added-to-partially-open-model":                 "READER has no schema for item %d and allows values there that WRITER does not",
	"uncovered-item-removed-from-partially-open-model":             "READER has a schema for item %d with values that WRITER does not allow there",
	"covered-item-added-to-partially-open-model":                   "READER has no schema for item %d and allows there only what WRITER allows",
	"covered-item-removed-from-partially-open-model":               "READER has a schema for item %d with values that WRITER allows there",
	"variant-changed":       "this variant of READER's %s allows values that no variant of WRITER allows",
	"all-of-branch-changed": "READER's %s is less strict here than WRITER's",
	"enum-value-added":      "READER's enum does not have %s, which WRITER's has",
	"type-widened":          "READER allows %[2]s where WRITER allows %[1]s",
	"multiple-of-reduced":   "READER raises multipleOf from %s to %s",
}

// forwardFixes has the first part of the fix for what is incompatible forward.
var forwardFixes = map[string]string{
	"type-changed":                          "keep the property and add one of the new type under another name",
	"type-narrowed":                         "keep the narrower type",
	"comparison-too-large":                  "split the schema: fewer variants in one oneOf or anyOf",
	"constraint-added":                      "keep the constraint",
	"condition-added":                       "keep the if",
	"not-added":                             "keep the not",
	"not-widened":                           "keep excluding the values",
	"combination-changed":                   "keep the keyword",
	"variant-removed":                       "write the new variant only after all readers know it",
	"variant-changed":                       "keep the variant and add the changed one as an event of its own",
	"all-of-branch-added":                   "keep the branch",
	"all-of-branch-changed":                 "keep the branch",
	"enum-value-removed":                    "tell readers in advance that the enum gets new values, with x-outbox: {grows: true} in an earlier change",
	"enum-added":                            "keep the enum and add the values that you need, with x-outbox: {grows: true}",
	"const-changed":                         "keep the const",
	"const-added":                           "keep the const",
	"pattern-added":                         "keep the pattern",
	"pattern-changed":                       "keep the pattern",
	"property-added-to-open-model":          "keep the property, mark it deprecated and stop writing it",
	"required-property-added-to-open-model": "keep the property and keep writing it",
	"required-property-with-default-added-to-open-model":   "keep the property and keep writing it",
	"required-property-added-to-closed-model":              "keep the property and keep writing it",
	"required-property-added-to-partially-open-model":      "keep the property and keep writing it",
	"uncovered-property-added-to-partially-open-model":     "keep the property",
	"uncovered-property-removed-from-partially-open-model": "give the property the schema of the undeclared properties",
	"property-removed-from-closed-model":                   "allow undeclared properties in an earlier change, without additionalProperties: false",
	"property-became-required":                             "keep the property required and keep writing it",
	"additional-properties-forbidden":                      "keep undeclared properties forbidden",
	"additional-properties-narrowed":                       "keep the schema of undeclared properties",
	"unevaluated-properties-forbidden":                     "keep unevaluated properties forbidden",
	"unevaluated-properties-narrowed":                      "keep the schema of unevaluated properties",
	"additional-items-forbidden":                           "keep further items forbidden",
	"additional-items-narrowed":                            "keep the schema of further items",
	"unevaluated-items-forbidden":                          "keep unevaluated items forbidden",
	"unevaluated-items-narrowed":                           "keep the schema of unevaluated items",
	"items-added":                                          "keep the schema of the items",
	"item-added-to-open-model":                             "keep the schema of the item",
	"uncovered-item-added-to-partially-open-model":         "keep the schema of the item",
	"item-removed-from-closed-model":                       "allow further items in an earlier change",
	"uncovered-item-removed-from-partially-open-model":     "give the item the schema of the further items",
	"unique-items-added":                                   "keep uniqueItems",
	"dependent-required-added":                             "keep dependentRequired",
	"dependent-required-extended":                          "keep dependentRequired",
	"dependent-required-changed":                           "keep dependentRequired",
	"dependent-schema-added":                               "keep the schema",
}

// forwardVerdict says whether readers with the old schema read the data after the edit
// that a rule of Compat is about; "" if that is the same as for readers with the new one.
func (r Rule) forwardVerdict() string {
	allowed := map[Allowance]bool{}
	for _, other := range rules {
		if other.Area == Compat && opposite(other.ID) == r.ID {
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
