package main

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// kind is the type of a setting: its name in --help, and which texts are valid.
type kind struct {
	name    string            // "bool": the flag needs no value
	takes   func(string) bool // nil: every text
	instead string            // what to write instead of an invalid text
	choices []string          // the shell completes them
	file    bool              // the name of a file
	endings []string          // of the files that it accepts, for the shell; nil: any
	several bool              // a list: a repeated flag adds to it
	secret  bool              // never printed
}

var (
	anyText    = kind{name: "text"}
	secretText = kind{name: "text", secret: true}
	list       = kind{name: "list", several: true}
	anyFile    = kind{name: "file", file: true}
	pemFile    = kind{name: "file", file: true, endings: []string{"pem", "crt", "cer", "key"}}
	logLevel   = kind{
		name: "level", choices: []string{"debug", "info", "warn", "error"}, instead: "debug, info, warn or error",
		takes: func(text string) bool { return new(slog.Level).UnmarshalText([]byte(text)) == nil },
	}
	boolean = kind{
		name: "bool", instead: "true or false",
		takes: func(text string) bool { _, err := strconv.ParseBool(text); return err == nil },
	}
	duration = kind{
		name: "duration", instead: "a duration such as 500ms, 10s or 168h",
		takes: func(text string) bool { _, err := time.ParseDuration(text); return err == nil },
	}
)

// oneOf returns the kind of a setting with a few values.
func oneOf(choices ...string) kind {
	last := len(choices) - 1
	return kind{
		name: strings.Join(choices, "|"), choices: choices,
		instead: strings.Join(choices[:last], ", ") + " or " + choices[last],
		takes:   func(text string) bool { return slices.Contains(choices, text) },
	}
}

// atLeast returns the kind of an integer with a unit.
func atLeast(least int, unit string) kind {
	return kind{
		name: unit, instead: "a whole number, at least " + strconv.Itoa(least),
		takes: func(text string) bool { n, err := strconv.Atoi(text); return err == nil && n >= least },
	}
}

// takes reports whether a text is a valid value of the setting. A setting without a
// default may be empty.
func (s setting) takes(text string) bool {
	return s.kind.takes == nil || text == "" && s.def == "" || s.kind.takes(text)
}

// settingFlag is the text of a setting that is given as a flag. It accepts every text:
// newReader checks the texts of all layers, and reports all problems together.
type settingFlag struct {
	kind  kind
	text  string
	given bool
}

func (f *settingFlag) String() string { return f.text }
func (f *settingFlag) Type() string   { return f.kind.name }

func (f *settingFlag) Set(text string) error {
	if f.kind.several && f.given {
		text = f.text + "," + text
	}
	f.text, f.given = text, true
	return nil
}

// flag adds the flag of a setting to a command.
func (s setting) flag(env environment, cmd *cobra.Command) {
	flag := &pflag.Flag{Name: s.name, Usage: s.help, Value: &settingFlag{kind: s.kind, text: s.def}, DefValue: s.def}
	if s.kind.name == boolean.name {
		flag.NoOptDefVal = "true"
	}
	cmd.Flags().AddFlag(flag)
	if s.kind.file {
		completeFiles(cmd, s.name, s.kind.endings...)
	}
	if s.kind.choices != nil {
		env.complete(cmd, s.name, cobra.FixedCompletions(s.kind.choices, cobra.ShellCompDirectiveNoFileComp))
	}
}

// complete sets the values that the shell offers for a flag. Without a request of the shell
// it does nothing, because cobra keeps these functions, and so the commands, until the
// process ends.
func (env environment) complete(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if !env.completes {
		return
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err) // the command has no such flag, or has it twice
	}
}

// completeFiles makes the shell offer files with the given endings.
func completeFiles(cmd *cobra.Command, flag string, endings ...string) {
	if err := cmd.MarkFlagFilename(flag, endings...); err != nil {
		panic(err) // the command has no such flag
	}
}
