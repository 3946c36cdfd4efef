package main

import (
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// continuation returns the command that continues a replay: the same call with fixed
// times and id, after the place that was reached. It does not show secrets. A second line
// names their flags.
func (p *pastRun) continuation(result replay.Result) string {
	var hidden []string
	words := []string{"outboxrelay", "replay", "--from", stamp(p.selection.From), "--to", stamp(p.selection.To)}
	p.cmd.Flags().Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "from", "to", "after", "id", "dry-run":
			return
		case "event-type", "topic":
			for _, text := range *flag.Value.(*texts) {
				words = append(words, "--"+flag.Name, text)
			}
			return
		}
		if s, ok := flag.Value.(*settingFlag); ok && s.kind.secret {
			hidden = append(hidden, "--"+flag.Name)
			return
		}
		word := "--" + flag.Name
		if text := flag.Value.String(); flag.NoOptDefVal == "" || text != flag.NoOptDefVal {
			word += "=" + text
		}
		words = append(words, word)
	})
	words = append(words, "--id", result.ID)
	if result.After != "" {
		words = append(words, "--after", string(result.After))
	}
	for i, word := range words {
		words[i] = quoted(word)
	}
	line := strings.Join(words, " ")
	if len(hidden) > 0 {
		line += "\nadd also, as in this call: " + strings.Join(hidden, " ")
	}
	return line
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=,@+-]+$`)

// quoted returns a word as a shell reads it. What a terminal would interpret is escaped,
// as bash, zsh and ksh read it.
func quoted(word string) string {
	switch safe := terminal.Text(word); {
	case plainWord.MatchString(word):
		return word
	case safe != strings.ReplaceAll(word, `\`, `\\`):
		return "$'" + strings.ReplaceAll(safe, "'", `\'`) + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
