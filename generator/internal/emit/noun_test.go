package emit

import "testing"

// A description becomes a sentence about the type only if it is certainly not a
// sentence.
func TestAboutType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"The score as a letter.":                  "X is the score as a letter.",
		"A part of the whole.":                    "X is a part of the whole.",
		"What the teacher wrote.":                 "X is what the teacher wrote.",
		"How the check ended.":                    "X is how the check ended.",
		"The settings of the language model.":     "X is the settings of the language model.",
		"The batch that the essay has. It is new": "X is the batch that the essay has. It is new",
		"An essay":                                "X is an essay",
		"An order ships.":                         "",
		"An order was shipped.":                   "",
		"A learner made a mark.":                  "",
		"A learner submitted an essay.":           "",
		"The teacher grades the essay.":           "",
		"The teacher graded.":                     "",
		"By type of content, where it is stored.": "",
		"Usage of the language model.":            "",
		"What is it?":                             "",
		"The":                                     "",
		"The ":                                    "",
		"A: b c":                                  "",
		"":                                        "",
	} {
		if got, _ := aboutType("X", text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}
