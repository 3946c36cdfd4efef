package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// continuation returns the command that continues a replay: the same call with fixed
// times and id, after the place that was reached. Secrets are not shown: the command
// needs the same flags again.
func (p *pastRun) continuation(result replay.Result) string {
	words := []string{"outboxrelay", "replay", "--from", stamp(p.selection.From), "--to", stamp(p.selection.To)}
	var hidden []string
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
		if text := flag.Value.String(); text != flag.NoOptDefVal {
			word += "=" + text
		}
		words = append(words, word)
	})
	words = append(words, "--id", result.ID)
	if result.After != "" {
		words = append(words, "--after", string(result.After))
	}
	for i, word := range words {
		words[i] = quoted(terminal.Text(word))
	}
	line := strings.Join(words, " ")
	if len(hidden) > 0 {
		line += fmt.Sprintf(" (and the same %s)", strings.Join(hidden, " and "))
	}
	return line
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=,@+-]+$`)

// quoted returns a word as a shell reads it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
