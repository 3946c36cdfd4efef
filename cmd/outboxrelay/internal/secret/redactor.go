package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Hidden replaces a secret.
const Hidden = "(secret)"

const (
	// shortest is the smallest secret, or part of one, in bytes, that is removed:
	// shorter ones occur everywhere.
	shortest = 4
	// run is how many consecutive bytes of a secret are removed anywhere in a text,
	// because a server that repeats a long secret may cut it.
	run = 10
)

// Redactor removes secrets from texts. It is safe for concurrent use.
type Redactor struct {
	mu     sync.RWMutex
	forms  []string        // all forms of whole secrets, the longest first
	parts  []string        // parts that wrong splitting makes of them, the longest first
	public map[string]bool // words that are never removed

	fixed    variants              // of all secrets that do not change
	changing map[string][]variants // of the last two secrets of a name
}

// Public adds words that are not secret, such as the database's name. A password that
// equals one of them is not removed, because the gap would reveal it.
func (r *Redactor) Public(words ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.public == nil {
		r.public = map[string]bool{}
	}
	for _, word := range words {
		r.public[word] = true
	}
}

// Add adds a secret to remove: as it is, decoded, encoded and quoted, and the parts
// into which a parser may split it.
func (r *Redactor) Add(secret string) {
	if secret == "" {
		return
	}
	found := variantsOf(secret)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fixed.forms = longestFirst(append(r.fixed.forms, found.forms...))
	r.fixed.parts = longestFirst(append(r.fixed.parts, found.parts...))
	r.collect()
}

// Replace adds a secret that changes, such as the content of a file. Of the secrets of one
// name it keeps the last two, because a server may still repeat the former one.
func (r *Redactor) Replace(name, secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.changing[name]
	if len(kept) > 0 && kept[len(kept)-1].secret == secret {
		return
	}
	kept = append(kept, variantsOf(secret))
	if r.changing == nil {
		r.changing = map[string][]variants{}
	}
	r.changing[name] = slices.Clone(kept[max(0, len(kept)-2):])
	r.collect()
}

// variants are the forms of a secret, and the parts that wrong splitting makes of it.
type variants struct {
	secret       string
	forms, parts []string
}

func variantsOf(secret string) variants {
	v := variants{secret: secret}
	valid := string([]rune(secret)) // as encoding/json writes it
	for _, text := range []string{secret, decoded(secret), valid} {
		quoted := strconv.Quote(text)
		inJSON, err := json.Marshal(text)
		if err != nil {
			inJSON = []byte(quoted)
		}
		v.forms = append(v.forms, text, url.QueryEscape(text), url.PathEscape(text),
			strings.TrimPrefix(url.UserPassword("", text).String(), ":"),
			quoted[1:len(quoted)-1], strings.Trim(string(inJSON), `"`),
			base64.StdEncoding.EncodeToString([]byte(text)), base64.URLEncoding.EncodeToString([]byte(text)))
		v.parts = append(v.parts, split(text)...)
	}
	v.forms, v.parts = longestFirst(v.forms), longestFirst(v.parts)
	return v
}

// collect makes the lists of everything to remove.
func (r *Redactor) collect() {
	forms, parts := slices.Clone(r.fixed.forms), slices.Clone(r.fixed.parts)
	for _, kept := range r.changing {
		for _, v := range kept {
			forms, parts = append(forms, v.forms...), append(parts, v.parts...)
		}
	}
	r.forms, r.parts = longestFirst(forms), longestFirst(parts)
}

// decoded returns the text with valid percent-encoding decoded.
func decoded(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(code))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// split returns the parts of a text between the characters at which addresses, query
// strings and keyword=value pairs are split.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return strings.ContainsRune(`@:/?#%&=+,;'"\`, r) || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}

func longestFirst(list []string) []string {
	list = slices.DeleteFunc(list, func(s string) bool { return len(s) < shortest })
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(list)
}

// Text returns the text without secrets.
func (r *Redactor) Text(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.forms) == 0 || text == "" {
		return text
	}
	for _, form := range r.forms {
		text = r.replace(text, form)
	}
	for _, part := range r.parts {
		text = r.replace(text, part)
	}
	return r.withoutRuns(text)
}

// replace removes a secret or a part of one. It removes a word only if it stands alone:
// "pass" is not part of "password".
func (r *Redactor) replace(text, secret string) string {
	if r.public[secret] || !strings.Contains(text, secret) {
		return text
	}
	word := isWord(secret)
	var b strings.Builder
	for {
		at := strings.Index(text, secret)
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := at + len(secret)
		if before, _ := utf8.DecodeLastRuneInString(text[:at]); word && at > 0 && wordRune(before) {
			b.WriteString(text[:at+1])
			text = text[at+1:]
			continue
		}
		if after, _ := utf8.DecodeRuneInString(text[end:]); word && end < len(text) && wordRune(after) {
			b.WriteString(text[:at+1])
			text = text[at+1:]
			continue
		}
		b.WriteString(text[:at])
		b.WriteString(Hidden)
		text = text[end:]
	}
}

func isWord(text string) bool {
	return len(text) < run && !strings.ContainsFunc(text, func(r rune) bool { return !wordRune(r) })
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// withoutRuns removes the rest of secrets that were cut.
func (r *Redactor) withoutRuns(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		longest := 0
		if i+run <= len(text) {
			for _, form := range r.forms {
				if r.public[form] || !strings.Contains(form, text[i:i+run]) {
					continue
				}
				n := run
				for i+n < len(text) && strings.Contains(form, text[i:i+n+1]) {
					n++
				}
				longest = max(longest, n)
			}
		}
		if longest > 0 {
			b.WriteString(Hidden)
			i += longest
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}
