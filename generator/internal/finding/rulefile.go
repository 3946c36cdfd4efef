package finding

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed rules
var embedded embed.FS

// groupFiles has the files of each area, in the order of the documentation.
var groupFiles = [...][]string{
	Generate: {"files", "keywords", "references", "events", "asyncapi", "project", "types", "values", "package", "tables"},
	Lint:     {"names", "descriptions", "values", "times", "keys", "growth", "suppressions"},
	Contract: {"events", "records", "earlier", "generated"},
	Compat:   {"types", "combinations", "values", "properties", "objects", "arrays", "bounds", "decoding"},
}

// ruleBook has all rules.
type ruleBook struct {
	groups []Group
	rules  map[string]Rule // by id
}

// book returns the rules of the embedded files. They have no error: TestRuleBook reads
// the same files.
var book = sync.OnceValue(func() ruleBook {
	b, err := readRules(embedded)
	if err != nil {
		panic(err)
	}
	return b
})

// readRules reads the files of all groups. The package comment describes their form.
func readRules(files fs.FS) (ruleBook, error) {
	b := ruleBook{rules: map[string]Rule{}}
	for area, names := range groupFiles {
		folder := [...]string{Generate: "generate", Lint: "lint", Contract: "contract", Compat: "compat"}[area]
		for _, name := range names {
			g, err := readGroup(files, folder+"/"+name)
			if err != nil {
				return ruleBook{}, err
			}
			g.Area = Area(area)
			for i := range g.Rules {
				if err := b.add(&g.Rules[i], g.Area); err != nil {
					return ruleBook{}, fmt.Errorf("rules/%s/%s.md: %s: %w", folder, name, g.Rules[i].ID, err)
				}
			}
			b.groups = append(b.groups, g)
		}
	}
	for _, r := range b.rules {
		if _, ok := b.rules[r.Opposite]; !ok && r.Area == Compat {
			return ruleBook{}, fmt.Errorf("%s: there is no rule %q, its opposite", r.ID, r.Opposite)
		}
	}
	return b, nil
}

// add completes a rule and adds it.
func (b *ruleBook) add(r *Rule, area Area) error {
	if _, ok := b.rules[r.ID]; ok {
		return errors.New("a second rule with this id")
	}
	r.Area = area
	if area == Compat {
		r.Opposite = cmp.Or(r.Opposite, r.ID)
		if err := r.allow(); err != nil {
			return err
		}
	}
	b.rules[r.ID] = *r
	return nil
}

// readGroup reads a file of rules. words are pairs: a word of the file, and the text
// that replaces it.
func readGroup(files fs.FS, name string, words ...string) (Group, error) {
	content, err := fs.ReadFile(files, "rules/"+name+".md")
	if err != nil {
		return Group{}, err
	}
	text := strings.NewReplacer(words...).Replace(string(content))
	f := ruleFile{files: files, lines: splitLines([]byte(text))}
	for ; f.at < len(f.lines); f.at++ {
		line := f.at + 1
		if err := f.read(f.lines[f.at]); err != nil {
			return Group{}, fmt.Errorf("rules/%s.md:%d: %w", name, line, err)
		}
	}
	return f.group, nil
}

// ruleFile is a file of rules while it is read.
type ruleFile struct {
	files   fs.FS
	lines   []string
	at      int      // the index of the line that is read
	columns []string // of the table of templates
	group   Group
}

// read reads a line, and the code block that belongs to it.
func (f *ruleFile) read(line string) error {
	if title, ok := strings.CutPrefix(line, "# "); ok {
		return set(&f.group.Title, title)
	}
	if id, ok := strings.CutPrefix(line, "## "); ok {
		f.group.Rules = append(f.group.Rules, Rule{ID: id})
		return nil
	}
	switch {
	case line == "":
		return nil
	case strings.HasPrefix(line, "|"):
		return f.row(line)
	case len(f.group.Rules) == 0:
		return errors.New("text before the first rule")
	}
	return f.member(&f.group.Rules[len(f.group.Rules)-1], line)
}

// row reads a row of the table of templates. It adds the rules of the template.
func (f *ruleFile) row(line string) error {
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	switch {
	case f.columns == nil:
		f.columns = cells
		return nil
	case len(cells) != len(f.columns):
		return fmt.Errorf("%d cells, want %d", len(cells), len(f.columns))
	case cells[0] == "---":
		return nil
	}
	var words []string
	for i := 1; i < len(cells); i++ {
		words = append(words, f.columns[i], cells[i])
	}
	made, err := readGroup(f.files, "templates/"+cells[0], words...)
	f.group.Rules = append(f.group.Rules, made.Rules...)
	return err
}

// member reads a line of a rule: "Label: text", or why the rule matters.
func (f *ruleFile) member(r *Rule, line string) error {
	label, text, _ := strings.Cut(strings.TrimPrefix(line, "- "), ":")
	text = strings.TrimSpace(text)
	switch label {
	case "Error", "Warning", "Note":
		r.Severity = map[string]Severity{"Error": Error, "Warning": Warning, "Note": Note}[label]
		return setSentence(&r.What, text)
	case "Fix":
		return setSentence(&r.Fix, text)
	case "Example", "From":
		return f.block(&r.Before)
	case "Better", "To":
		return f.block(&r.After)
	case "Allowed by":
		return set(&r.allowedBy, text)
	case "Message":
		return set(&r.Message, text)
	case "Opposite":
		return set(&r.Opposite, text)
	case "Forward message":
		return set(&r.forwardMessage, text)
	case "Forward fix":
		return set(&r.forwardFix, text)
	}
	return set(&r.Why, line)
}

// block reads the code block after the line. Go code is a string, for text that is not
// UTF-8.
func (f *ruleFile) block(member *string) error {
	rest := f.lines[f.at+1:]
	if len(rest) < 2 || rest[0] != "" || !strings.HasPrefix(rest[1], "```") {
		return errors.New("want an empty line and a code block after this line")
	}
	language, rest := rest[1], rest[2:]
	end := slices.IndexFunc(rest, func(l string) bool { return strings.HasPrefix(l, "```") })
	if end < 0 || rest[end] != "```" {
		return errors.New("the code block has no end")
	}
	f.at += 3 + end
	text := strings.Join(rest[:end], "\n")
	if language == "```go" {
		var err error
		if text, err = strconv.Unquote(text); err != nil {
			return fmt.Errorf("the code block is not a Go string: %w", err)
		}
	}
	return set(member, text)
}

// allow sets the policies that allow a change, from their list.
func (r *Rule) allow() error {
	var others string
	others, r.Generated = strings.CutSuffix(r.allowedBy, ", generated")
	allowances := map[string]Allowance{"no policy": Never, "lenient": Leniently, "strict, lenient": Always}
	allowed, ok := allowances[others]
	if !ok {
		return fmt.Errorf("allowed by %q", r.allowedBy)
	}
	r.Allowed = allowed
	return nil
}

// setSentence sets a member to a text without its full stop.
func setSentence(member *string, text string) error {
	text, ok := strings.CutSuffix(text, ".")
	if !ok {
		return errors.New("no full stop at the end")
	}
	return set(member, text)
}

// set sets a member that is still empty.
func set(member *string, text string) error {
	switch {
	case text == "":
		return errors.New("no text")
	case *member != "":
		return errors.New("a second text for the same member, or an unknown label")
	}
	*member = text
	return nil
}
