package verdict

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// question is a line that the program reads.
type question struct {
	Event    string
	Document string

	caseIndex int
}

// ask runs the program on all documents of a batch. If it ends at one, that document is
// recorded as the cause, and a new process continues after it.
func (b *build) ask(ctx context.Context, binary string, cases []Case, outcomes []Outcome) error {
	questions, err := b.questions(cases, outcomes)
	if err != nil {
		return err
	}
	for len(questions) > 0 {
		answers, crash, err := converse(ctx, binary, questions)
		if err != nil {
			return err
		}
		if crash != "" {
			answers = append(answers, Answer{Crashed: crash})
		}
		for i, a := range answers {
			o := &outcomes[questions[i].caseIndex]
			o.Answers = append(o.Answers, a)
		}
		questions = questions[len(answers):]
	}
	return nil
}

func (b *build) questions(cases []Case, outcomes []Outcome) ([]question, error) {
	var out []question
	for i, folder := range b.folders {
		if folder == "" || len(outcomes[i].Compile) > 0 {
			continue
		}
		for _, d := range cases[i].Documents {
			event := d.Event
			if event == "" && len(outcomes[i].events) > 0 {
				event = outcomes[i].events[0]
			}
			if !slices.Contains(outcomes[i].events, event) {
				return nil, fmt.Errorf("case %s: a document for %q, which is no event of it: %v", cases[i].Name, event, outcomes[i].events)
			}
			out = append(out, question{Event: folder + "." + event, Document: string(d.JSON), caseIndex: i})
		}
	}
	return out, nil
}

// converse runs the program on questions. After a crash, answers ends before the
// question that caused it.
func converse(ctx context.Context, binary string, questions []question) (answers []Answer, crash string, err error) {
	var in, out, said bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, q := range questions {
		if err := lines.Encode(q); err != nil {
			return nil, "", err
		}
	}
	command := exec.CommandContext(ctx, binary)
	command.Stdin, command.Stdout, command.Stderr = &in, &out, &said
	failed := command.Run()
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	decoder := json.NewDecoder(&out)
	for decoder.More() {
		var a Answer
		if err := decoder.Decode(&a); err != nil {
			return nil, "", fmt.Errorf("an answer of the program: %w", err)
		}
		answers = append(answers, a)
	}
	switch {
	case failed == nil && len(answers) == len(questions):
		return answers, "", nil
	case failed == nil || len(answers) >= len(questions):
		return nil, "", fmt.Errorf("the program gave %d answers to %d documents: %w\n%s", len(answers), len(questions), failed, said.String())
	}
	first, _, _ := strings.Cut(said.String(), "\n\n")
	return answers, failed.Error() + ": " + first, nil
}
